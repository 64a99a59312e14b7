import { jsonObject } from './json-body.js';
import { leaderRoute } from './routes.js';
import { MAX_BODY_BYTES, type PatroniTimings, versionOf } from './timings-in-force.js';
import { toleratedMs } from './timings.js';
import type { Answer, Lease, PollOutcome, CanonicalRoute } from './types.js';

/** The timings in force at a Patroni of that version; those assumed until it has said. */
export type TimingsOf = (version: string | undefined) => PatroniTimings;

/**
 * How far an answer may be believed that rests on the leader key; `undefined` where it does not, or nothing is known of that.
 *
 * A 200 that a node gives because it holds the leader key counts until `dcs_last_seen + loop_wait + retry_timeout`
 * ({@link toleratedMs}). A live HA loop has reached its DCS again by then, or demotes the node. Later Patroni still says 200,
 * until the key's `ttl` is over (`Ha.is_leader` in `patroni/ha.py`); but by then load balancers must have left the node, since
 * another may be promoted. In pause nobody is, and in failsafe mode all members have agreed that the node leads on: Patroni says so in the answer.
 *
 * @param madeAt when Patroni made the answer: by its own clock, that of `dcs_last_seen`, and by the scheduler's
 */
export function leaseOf(
  route: CanonicalRoute,
  answer: Answer,
  timingsOf: TimingsOf,
  madeAt: { readonly patroniMs: number; readonly schedulerMs: number },
): Lease | undefined {
  const leader = leaderRoute(route);
  if (answer.status !== 200 || leader === undefined || answer.body.length > MAX_BODY_BYTES) return undefined;
  const said = jsonObject(answer.body) ?? {};
  const lastSeenS = said['dcs_last_seen'];
  if (typeof lastSeenS !== 'number' || lastSeenS <= 0) return undefined; // 0: not once since its start
  if (said['pause'] === true || said['failsafe_mode_is_active'] === true) return undefined;
  if (leader === 'too' && !LEADERS.includes(String(said['role']))) return undefined;
  const ageMs = Math.max(0, madeAt.patroniMs - lastSeenS * 1000); // a clock that was set back does not make it longer
  const lastSeenAtMs = madeAt.schedulerMs - ageMs;
  return { lastSeenAtMs, endsAtMs: lastSeenAtMs + toleratedMs(timingsOf(versionOf(said))) };
}

/** `role` in Patroni's bodies of a node that leads; `master` before 4.0. */
const LEADERS: readonly string[] = ['primary', 'master', 'standby_leader'];

/**
 * An outcome as the guard lets it count.
 *
 * @param wallMs the wall clock of this host, where Patroni is on it; without, Patroni's is known from its `Date` alone
 */
export function guarded(
  route: CanonicalRoute,
  outcome: PollOutcome,
  timingsOf: TimingsOf,
  wallMs?: () => number,
): PollOutcome {
  if (outcome.kind === 'failed') return outcome;
  const { answer, sentAtMs, endedAtMs } = outcome;
  // `Date` is in whole seconds, so that nearly one more may have passed; and it was made after the poll was sent.
  const madeAt = wallMs
    ? { patroniMs: wallMs(), schedulerMs: endedAtMs }
    : { patroniMs: (answer.dateMs ?? NaN) + 1000, schedulerMs: sentAtMs };
  const lease = Number.isNaN(madeAt.patroniMs) ? undefined : leaseOf(route, answer, timingsOf, madeAt);
  return lease ? { ...outcome, lease } : outcome;
}
