import { jsonObject } from './json.js';
import { type CanonicalRoute, leaderRoute } from './routes.js';
import type { Answer, Lease, PollOutcome } from './snapshot.js';
import { type PatroniTimings, safeTtlMs } from './ttl-bound.js';

/**
 * How long Patroni may take, beyond `loop_wait + retry_timeout`, from the loss of its DCS until it says that failsafe mode is
 * active: it asks each member, with a time-out of 2 s and one retry (`call_failsafe_member` in `patroni/ha.py`).
 */
const FAILSAFE_CHECK_MS = 4000;

/** A body of Patroni's has some kilobytes; a larger one is not read. */
const MAX_BODY_BYTES = 65_536;

/**
 * How far an answer may be believed that rests on the leader key; `undefined` where it does not, or nothing is known of that.
 *
 * A 200 that a node gives because it holds the leader key counts until `dcs_last_seen + loop_wait + retry_timeout`. A live HA
 * loop has reached its DCS again by then, or demotes the node. Later Patroni still says 200, until the key's `ttl` is over
 * (`Ha.is_leader` in `patroni/ha.py`); but by then load balancers must have left the node, since another may be promoted.
 * In pause nobody is, and in failsafe mode all members have agreed that the node leads on: Patroni says so in the answer.
 *
 * @param madeAt when Patroni made the answer: by its own clock, that of `dcs_last_seen`, and by the scheduler's
 */
export function leaseOf(
  route: CanonicalRoute,
  answer: Answer,
  timings: PatroniTimings,
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
  return { lastSeenAtMs, endsAtMs: lastSeenAtMs + toleratedMs(timings) };
}

/** How long an HA loop that works may be without its DCS. */
function toleratedMs(timings: PatroniTimings): number {
  const { loopWaitMs, retryTimeoutMs, failsafeMode } = timings;
  const failsafeMs = failsafeMode ? Math.min(FAILSAFE_CHECK_MS, Math.max(0, safeTtlMs(timings) / 2)) : 0;
  return loopWaitMs + retryTimeoutMs + failsafeMs;
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
  timings: PatroniTimings,
  wallMs?: () => number,
): PollOutcome {
  if (outcome.kind === 'failed') return outcome;
  const { answer, sentAtMs, endedAtMs } = outcome;
  // `Date` is in whole seconds, so that nearly one more may have passed; and it was made after the poll was sent.
  const madeAt = wallMs
    ? { patroniMs: wallMs(), schedulerMs: endedAtMs }
    : { patroniMs: (answer.dateMs ?? NaN) + 1000, schedulerMs: sentAtMs };
  const lease = Number.isNaN(madeAt.patroniMs) ? undefined : leaseOf(route, answer, timings, madeAt);
  return lease ? { ...outcome, lease } : outcome;
}
