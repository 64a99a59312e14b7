import type { PatroniTimings } from './timings-in-force.js';

/**
 * After it has lost its DCS, Patroni may need this much longer than `loop_wait + retry_timeout` until it reports failsafe
 * mode as active: it asks each member, with a time-out of 2 s and one retry (`call_failsafe_member` in `patroni/ha.py`).
 */
const FAILSAFE_CHECK_MS = 4000;

/**
 * The largest safe `cache.ttl`, in milliseconds: with it, patroniglue never answers an old primary's 200 while a new primary
 * answers 200 as well. 0 or less if no `cache.ttl` is safe. A node loses its leader key `ttl` after the last refresh, and
 * this refresh may be `loop_wait + retry_timeout` old when the node answers a poll.
 */
export function safeTtlMs({ ttlMs, loopWaitMs, retryTimeoutMs }: PatroniTimings): number {
  return ttlMs - loopWaitMs - retryTimeoutMs;
}

/**
 * How long a leader's 200 counts after Patroni has read its DCS, in milliseconds: `loop_wait + retry_timeout`. Within this
 * time, a working HA loop reads the DCS again or gives up. The time is shorter if Patroni uses timings that break its own
 * rule (before 3.2): then load balancers keep half of the time from `loop_wait` to `ttl`, as much as the rule would leave them.
 */
export function toleratedMs(timings: PatroniTimings): number {
  const { ttlMs, loopWaitMs, retryTimeoutMs, failsafeMode } = timings;
  if (breaksRule(timings)) return Math.min(loopWaitMs, ttlMs) + Math.max(0, (ttlMs - loopWaitMs) / 2);
  const failsafeMs = failsafeMode ? Math.min(FAILSAFE_CHECK_MS, safeTtlMs(timings) / 2) : 0;
  return loopWaitMs + retryTimeoutMs + failsafeMs;
}

/** True if timings break Patroni's rule `loop_wait + 2 * retry_timeout <= ttl`. From 3.2 on Patroni enforces it. */
export function breaksRule({ ttlMs, loopWaitMs, retryTimeoutMs }: PatroniTimings): boolean {
  return loopWaitMs + 2 * retryTimeoutMs > ttlMs;
}
