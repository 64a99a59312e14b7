import { origin } from '../../../network/authority.js';
import { nodeIn } from '../../../patroni/node-facts.js';
import { foreignText } from '../../../patroni/recognition.js';
import { describeFailure } from '../../../patroni/snapshot-text.js';
import { backendRemedies, foreignAnswersIn } from '../../backend-remedies.js';
import { failureRemedy } from '../../../upstream/failure-remedy.js';
import type { LiveAnswer } from '../../live-types.js';
import { not, ok } from '../finding.js';
import { valueIn } from '../series.js';
import type { Facts, Finding } from '../types.js';
import { repliesText, spanText } from './words.js';

const CHECK = 'patroni';

/** What a Patroni that hangs causes at a client. */
const HANGS = { reason: 'timed-out', message: '' } as const;

/** What Patroni answers, and how soon. If patroniglue is ready all the same, checks still get replies: that is less bad. */
export function patroniFindings(facts: Facts): readonly Finding[] {
  const { config, patroni, service } = facts;
  const { answers, spared, warnings } = patroni;
  const isServed = service.kind === 'answers' && service.isReady;
  const where = origin(config.backend);
  const others = warnings.map((warning) =>
    not('WARNING', CHECK, warning, "Write the address of this node's Patroni as backend.host."),
  );
  if (answers.length === 0) {
    const todo = failureRemedy(HANGS, config.backend.scheme);
    return [not('CRITICAL', CHECK, `${where} gave no answer in time`, todo), ...others];
  }
  const frozenS = frozenForS(facts);
  const todo = frozenS > 0 ? failureRemedy(HANGS, config.backend.scheme) : backendRemedies(answers, config).join(' ');
  const foreign = foreignAnswersIn(answers);
  if (foreign.length > 0) {
    // a status of another program is passed on to checks: that is as bad as none
    return [not('CRITICAL', CHECK, [foreignText(where, foreign), ...failuresIn(answers)].join('; '), todo), ...others];
  }
  const failed = failuresIn(answers);
  if (failed.length > 0) {
    const notAsked = spared === 0 ? '' : `; ${spared} other routes are not asked, to spare Patroni`;
    const served = isServed ? `; checks still get ${repliesText(facts) ?? 'replies'}` : '';
    const frozen = frozenS > 0 ? `; frozen for ${spanText(frozenS)}, as the service has seen` : '';
    const found = `${where}: ${failed.join(', ')}${frozen}${notAsked}${served}`;
    return [not(isServed ? 'WARNING' : 'CRITICAL', CHECK, found, todo), ...others];
  }
  const slow = answers.filter((answer) => tookMs(answer) > config.backend.timeoutMs / 2);
  const told = `${where}: ${answers.map(answerText).join(', ')}`;
  if (slow.length > 0) {
    const found = `${told}: more than half of backend.timeout (${config.backend.timeoutMs / 1000} s)`;
    return [not('WARNING', CHECK, found, 'Find out what keeps Patroni or its machine busy.'), ...others];
  }
  return [ok(CHECK, told), ...others];
}

/**
 * For how long Patroni is frozen by the running service, in seconds; 0 if it is not, or if it does not time out here. In a
 * freeze its accept queue is soon full: to a new client it then looks like a host that is not there.
 */
function frozenForS({ service, patroni: { answers } }: Facts): number {
  const isTimedOut = answers.every(
    ({ outcome }) => outcome.kind === 'failed' && outcome.failure.reason === 'timed-out',
  );
  if (service.kind !== 'answers' || !isTimedOut) return 0;
  return valueIn(service.series, 'patroniglue_patroni_frozen_seconds') ?? 0;
}

/** `/primary, /replica: connection refused (...)`: each canonical route once, those with the same failure together. */
function failuresIn(answers: readonly LiveAnswer[]): readonly string[] {
  const routes = new Map<string, Set<string>>();
  for (const { route, outcome } of answers) {
    if (outcome.kind === 'answered') continue;
    const why = describeFailure(outcome.failure);
    routes.set(why, (routes.get(why) ?? new Set()).add(route));
  }
  return [...routes].map(([why, failed]) => `${[...failed].join(', ')}: ${why}`);
}

/** The time from the request to the end of its answer. */
export function tookMs({ outcome }: LiveAnswer): number {
  return outcome.endedAtMs - outcome.sentAtMs;
}

function answerText(answer: LiveAnswer, at: number): string {
  const { written, outcome } = answer;
  if (outcome.kind === 'failed') return written;
  const { name, role, state } = nodeIn(outcome.answer);
  const says = at === 0 ? [name, role, state].filter((word) => word !== undefined).join(' ') : '';
  return `${written} ${outcome.answer.status} in ${tookMs(answer).toFixed(0)} ms${says === '' ? '' : ` (${says})`}`;
}
