import { jsonObject } from './json.js';
import type { Answer } from './snapshot.js';

/** How long Patroni's leader key lives, and how often and how patiently it is renewed; in milliseconds. */
export interface PatroniTimings {
  readonly ttlMs: number;
  readonly loopWaitMs: number;
  readonly retryTimeoutMs: number;
  /** A leader that loses its DCS may lead on when all members agree. */
  readonly failsafeMode: boolean;
}

/** Patroni's own, for keys that its dynamic configuration lacks (`Config.__DEFAULT_CONFIG` in `patroni/config.py`). */
const DEFAULTS_S = { ttl: 30, loop_wait: 10, retry_timeout: 10 } as const;

/**
 * What an answer to `GET /config` says: the dynamic configuration as it is in the DCS (`do_GET_config` in `patroni/api.py`).
 * `undefined` where it is none.
 */
export function timingsIn({ status, body }: Answer): PatroniTimings | undefined {
  if (status !== 200) return undefined;
  const config = jsonObject(body);
  if (config === undefined) return undefined;
  const ms = (key: keyof typeof DEFAULTS_S): number => {
    const seconds = Number(config[key] ?? DEFAULTS_S[key]); // Patroni takes a number in quotes, too
    return seconds * 1000;
  };
  const times = { ttlMs: ms('ttl'), loopWaitMs: ms('loop_wait'), retryTimeoutMs: ms('retry_timeout') };
  if (!Object.values(times).every((value) => Number.isFinite(value) && value > 0)) return undefined;
  return { ...times, failsafeMode: config['failsafe_mode'] === true };
}

/**
 * The largest `cache.ttl` with which a kept 200 cannot stand beside a new primary's, in milliseconds; not above 0 where there
 * is none. A node loses its leader key `ttl` after the last refresh, which may be `loop_wait + retry_timeout` old when asked.
 */
export function safeTtlMs({ ttlMs, loopWaitMs, retryTimeoutMs }: PatroniTimings): number {
  return ttlMs - loopWaitMs - retryTimeoutMs;
}

/**
 * What to tell the operator of a `cache.ttl` that is over the bound; `undefined` where it is not.
 *
 * @param leaseGuard answers that rest on the leader key end with it, by `lease-guard.ts`
 */
export function ttlWarning(cache: { ttlMs: number; leaseGuard: boolean }, timings: PatroniTimings): string | undefined {
  const safeMs = safeTtlMs(timings);
  if (cache.ttlMs <= safeMs) return undefined;
  const [cacheTtl, ttl, loopWait, retryTimeout, safe] = [
    cache.ttlMs,
    timings.ttlMs,
    timings.loopWaitMs,
    timings.retryTimeoutMs,
    safeMs,
  ].map((ms) => ms / 1000);
  const over = `cache.ttl (${cacheTtl} s) is over Patroni's ttl - loop_wait - retry_timeout (${ttl} - ${loopWait} - ${retryTimeout} = ${safe} s)`;
  const fix = safeMs > 0 ? `set it to ${safe} or less` : "raise Patroni's ttl";
  return cache.leaseGuard
    ? `${over}: the lease guard ends a primary's 200 in time, but what other routes say may be older; ${fix}`
    : `${over}: a kept 200 could stand beside a new primary's; ${fix}`;
}
