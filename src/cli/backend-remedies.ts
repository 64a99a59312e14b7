import type { Config } from '../config/types.js';
import { type RoutedAnswer, areForeign, foreignRemedy } from '../patroni/recognition.js';
import { failureRemedy } from '../upstream/failure-remedy.js';
import type { LiveAnswer } from './live-types.js';

/** The answers among outcomes that came at the same time, if something else than Patroni gave them; otherwise none. */
export function foreignAnswersIn(answers: readonly LiveAnswer[]): readonly RoutedAnswer[] {
  const given = answers.flatMap(({ route, outcome }) =>
    outcome.kind === 'answered' ? [{ route, answer: outcome.answer }] : [],
  );
  return areForeign(given) ? given : [];
}

/** What to do if Patroni does not answer, or something else does: a sentence or two for each kind of failure, each once. */
export function backendRemedies(answers: readonly LiveAnswer[], { backend }: Config): readonly string[] {
  const foreign = foreignAnswersIn(answers);
  const failed = answers.flatMap(({ outcome }) =>
    outcome.kind === 'failed' ? [failureRemedy(outcome.failure, backend.scheme)] : [],
  );
  return [...new Set([...failed, ...(foreign.length === 0 ? [] : [foreignRemedy(foreign)])])];
}
