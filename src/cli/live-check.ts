import { forkJoin, lastValueFrom, map } from 'rxjs';
import { createScheduler } from '../streams/clock.js';
import type { Config } from '../config/types.js';
import { foreignText } from '../patroni/recognition.js';
import { describeFailure } from '../patroni/snapshot-text.js';
import { origin } from '../network/authority.js';
import { prefetchedOf } from '../streams/poll-settings.js';
import { requestOf } from '../streams/polled-upstream.js';
import { canonicalRoute } from '../patroni/routes.js';
import { nodeIn } from '../patroni/node-facts.js';
import type { OnAddresses } from '../upstream/addresses.js';
import { classifyFailure } from '../upstream/failure.js';
import type { RequestPatroni } from '../upstream/request.js';
import { pollOnce } from '../streams/poll.js';
import { backendRemedies, foreignAnswersIn } from './backend-remedies.js';
import type { LiveAnswer } from './live-types.js';
import type { PollOutcome, CanonicalRoute } from '../patroni/types.js';

/** A route as the configuration has it, and the canonical route for which patroniglue asks. */
export type WrittenRoute = Pick<LiveAnswer, 'written' | 'route'>;

/** The prefetched routes of a configuration. */
export function writtenRoutesOf(config: Config): readonly WrittenRoute[] {
  return prefetchedOf(config).flatMap((text) => {
    const route = canonicalRoute(text);
    return route === undefined ? [] : [{ written: text, route }];
  });
}

/** Asks Patroni once for each prefetched canonical route, all at the same time, as the service does at its start. */
export async function askOnce(config: Config, onAddresses?: OnAddresses): Promise<readonly LiveAnswer[]> {
  const written = writtenRoutesOf(config);
  const routes = written.map(({ route }) => route);
  const outcomes = await askRoutes(routes, requestOf(config, { onAddresses }), config.backend.timeoutMs);
  return answersFor(written, outcomes);
}

/** Asks each of these routes once, all at the same time. Resolves with their outcomes after `deadlineMs` at the latest. */
export async function askRoutes(
  routes: readonly CanonicalRoute[],
  request: RequestPatroni,
  deadlineMs: number,
): Promise<ReadonlyMap<CanonicalRoute, PollOutcome>> {
  const options = { deadlineMs, scheduler: createScheduler(), classify: classifyFailure };
  const polls = [...new Set(routes)].map((route) =>
    pollOnce(request(route), options).pipe(map((outcome) => [route, outcome] as const)),
  );
  return new Map(await lastValueFrom(forkJoin(polls), { defaultValue: [] }));
}

/** The answers to the routes that have an outcome, in their order. */
export function answersFor(
  written: readonly WrittenRoute[],
  outcomes: ReadonlyMap<CanonicalRoute, PollOutcome>,
): readonly LiveAnswer[] {
  return written.flatMap((asked) => {
    const outcome = outcomes.get(asked.route);
    return outcome ? [{ ...asked, outcome }] : [];
  });
}

/** A line of headings, then one line per route; below them what to do, if Patroni does not answer, or something else does. */
export function tableOf(answers: readonly LiveAnswer[], config: Config): readonly string[] {
  const remedies = backendRemedies(answers, config).map((remedy) => `to do: ${remedy}`);
  const foreign = foreignAnswersIn(answers);
  const problem = foreign.length === 0 ? [] : [`error: ${foreignText(origin(config.backend), foreign)}`];
  const told = [...problem, ...remedies];
  return [...rowsOf(answers), ...(told.length === 0 ? [] : ['', ...told])];
}

function rowsOf(answers: readonly LiveAnswer[]): readonly string[] {
  const rows = [['ROUTE', 'ASKED AS', 'REPLY', 'TOOK', 'PATRONI SAYS'], ...answers.map(rowOf)];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function rowOf({ written, route, outcome }: LiveAnswer): readonly string[] {
  const took = `${(outcome.endedAtMs - outcome.sentAtMs).toFixed(0)} ms`;
  if (outcome.kind === 'failed') return [written, route, '503', took, describeFailure(outcome.failure)];
  const { role, state } = nodeIn(outcome.answer);
  const says = [role, state].filter((word) => word !== undefined).join(', ');
  return [written, route, String(outcome.answer.status), took, says === '' ? '-' : says];
}
