import type { PatroniTimings } from './timings-in-force.js';

/**
 * How long Patroni may take, beyond `loop_wait + retry_timeout`, from the loss of its DCS until it says that failsafe mode is
 * active: it asks each member, with a time-out of 2 s and one retry (`call_failsafe_member` in `patroni/ha.py`).
 */
const FAILSAFE_CHECK_MS = 4000;

/**
 * The largest `cache.ttl` with which a kept 200 cannot stand beside a new primary's, in milliseconds; not above 0 where there
 * is none. A node loses its leader key `ttl` after the last refresh, which may be `loop_wait + retry_timeout` old when asked.
 */
export function safeTtlMs({ ttlMs, loopWaitMs, retryTimeoutMs }: PatroniTimings): number {
  return ttlMs - loopWaitMs - retryTimeoutMs;
}

/**
 * How long a leader's 200 counts after Patroni has read its DCS, in milliseconds: `loop_wait + retry_timeout`, in which an HA
 * loop that works reads it again or gives up. It is shorter where Patroni works with timings that break its rule (before 3.2):
 * then half of the time from `loop_wait` to `ttl` is left to load balancers, as the rule itself would leave it.
 */
export function toleratedMs(timings: PatroniTimings): number {
  const { ttlMs, loopWaitMs, retryTimeoutMs, failsafeMode } = timings;
  if (breaksRule(timings)) return Math.min(loopWaitMs, ttlMs) + Math.max(0, (ttlMs - loopWaitMs) / 2);
  const failsafeMs = failsafeMode ? Math.min(FAILSAFE_CHECK_MS, safeTtlMs(timings) / 2) : 0;
  return loopWaitMs + retryTimeoutMs + failsafeMs;
}

/** Patroni's own rule, which it keeps by itself from 3.2 on: `loop_wait + 2 * retry_timeout <= ttl`. */
export function breaksRule({ ttlMs, loopWaitMs, retryTimeoutMs }: PatroniTimings): boolean {
  return loopWaitMs + 2 * retryTimeoutMs > ttlMs;
}
