import { MAX_PARSED_BYTES, jsonObject } from './json-body.js';
import { leaderRoute } from './routes.js';
import { type PatroniTimings, versionOf } from './timings-in-force.js';
import { toleratedMs } from './timings.js';
import type { Answer, Lease, PollOutcome, CanonicalRoute } from './types.js';

/** The timings in force at a Patroni of that version; assumed timings until Patroni has said its own. */
export type TimingsOf = (version: string | undefined) => PatroniTimings;

/**
 * How long an answer counts that depends on the leader key. `undefined` if the answer does not depend on it, or does not say
 * when Patroni last reached its DCS.
 *
 * A node that holds the leader key answers 200. This 200 counts until `dcs_last_seen + loop_wait + retry_timeout`
 * ({@link toleratedMs}): by then, a working HA loop has reached its DCS again or demotes the node. Patroni itself answers 200
 * for longer, until the key's `ttl` is over (`Ha.is_leader` in `patroni/ha.py`). But load balancers must leave the node
 * before that, because another node may be promoted then. Two cases have no lease, and Patroni names them in its answer: in
 * pause, no node is promoted; in failsafe mode, all members have agreed that the node stays the leader.
 *
 * @param madeAt when Patroni made the answer, by its own clock (which `dcs_last_seen` has, too) and by the scheduler's
 */
export function leaseOf(
  route: CanonicalRoute,
  answer: Answer,
  timingsOf: TimingsOf,
  madeAt: { readonly patroniMs: number; readonly schedulerMs: number },
): Lease | undefined {
  const leader = leaderRoute(route);
  if (answer.status !== 200 || leader === undefined || answer.body.length > MAX_PARSED_BYTES) return undefined;
  const said = jsonObject(answer.body) ?? {};
  const lastSeenS = said['dcs_last_seen'];
  if (typeof lastSeenS !== 'number' || lastSeenS <= 0) return undefined; // 0: Patroni has not reached it since its start
  if (said['pause'] === true || said['failsafe_mode_is_active'] === true) return undefined;
  if (leader === 'leader-or-replica' && !LEADERS.includes(String(said['role']))) return undefined;
  const ageMs = Math.max(0, madeAt.patroniMs - lastSeenS * 1000); // if the clock was set back, the lease does not become longer
  const lastSeenAtMs = madeAt.schedulerMs - ageMs;
  return { lastSeenAtMs, endsAtMs: lastSeenAtMs + toleratedMs(timingsOf(versionOf(said))) };
}

/** The values of `role` in the answers of a leader; `master` before Patroni 4.0. */
const LEADERS: readonly string[] = ['primary', 'master', 'standby_leader'];

/**
 * The outcome of a poll, with its lease if it has one.
 *
 * @param wallMs this host's wall clock, if Patroni runs on this host; without it, only the `Date` header tells Patroni's time
 */
export function withLease(
  route: CanonicalRoute,
  outcome: PollOutcome,
  timingsOf: TimingsOf,
  wallMs?: () => number,
): PollOutcome {
  if (outcome.kind === 'failed') return outcome;
  const { answer, sentAtMs, endedAtMs } = outcome;
  // Without this host's clock, assume the worst: `Date` drops the fraction of a second, and Patroni may have set it at once.
  const madeAt = wallMs
    ? { patroniMs: wallMs(), schedulerMs: endedAtMs }
    : { patroniMs: (answer.dateMs ?? NaN) + 1000, schedulerMs: sentAtMs };
  const lease = Number.isNaN(madeAt.patroniMs) ? undefined : leaseOf(route, answer, timingsOf, madeAt);
  return lease ? { ...outcome, lease } : outcome;
}
