import type { Answer } from './snapshot.js';

/** How long Patroni's leader key lives, and how often and how patiently it is renewed; in milliseconds. */
export interface PatroniTimings {
  readonly ttlMs: number;
  readonly loopWaitMs: number;
  readonly retryTimeoutMs: number;
}

/** Patroni's own, for keys that its dynamic configuration lacks (`Config.__DEFAULT_CONFIG` in `patroni/config.py`). */
const DEFAULTS_S = { ttl: 30, loop_wait: 10, retry_timeout: 10 } as const;

/**
 * What an answer to `GET /config` says: the dynamic configuration as it is in the DCS (`do_GET_config` in `patroni/api.py`).
 * `undefined` where it is none.
 */
export function timingsIn({ status, body }: Answer): PatroniTimings | undefined {
  if (status !== 200) return undefined;
  const config = parsed(body.toString());
  if (config === undefined) return undefined;
  const ms = (key: keyof typeof DEFAULTS_S): number => {
    const seconds = Number(config[key] ?? DEFAULTS_S[key]); // Patroni takes a number in quotes, too
    return seconds * 1000;
  };
  const timings = { ttlMs: ms('ttl'), loopWaitMs: ms('loop_wait'), retryTimeoutMs: ms('retry_timeout') };
  return Object.values(timings).every((value) => Number.isFinite(value) && value > 0) ? timings : undefined;
}

/**
 * The largest `cache.ttl` with which a kept 200 cannot stand beside a new primary's, in milliseconds; not above 0 where there
 * is none. A node loses its leader key `ttl` after the last refresh, which may be `loop_wait + retry_timeout` old when asked.
 */
export function safeTtlMs({ ttlMs, loopWaitMs, retryTimeoutMs }: PatroniTimings): number {
  return ttlMs - loopWaitMs - retryTimeoutMs;
}

/** What to tell the operator of a `cache.ttl` that is over the bound; `undefined` where it is not. */
export function ttlWarning(cacheTtlMs: number, timings: PatroniTimings): string | undefined {
  const safeMs = safeTtlMs(timings);
  if (cacheTtlMs <= safeMs) return undefined;
  const { ttlMs, loopWaitMs, retryTimeoutMs } = timings;
  const [ttl, loopWait, retryTimeout] = [ttlMs, loopWaitMs, retryTimeoutMs].map((ms) => ms / 1000);
  const bound = `Patroni's ttl - loop_wait - retry_timeout (${ttl} - ${loopWait} - ${retryTimeout} = ${safeMs / 1000} s)`;
  const fix = safeMs > 0 ? `set it to ${safeMs / 1000} or less` : "raise Patroni's ttl";
  return `cache.ttl (${cacheTtlMs / 1000} s) is over ${bound}: a kept 200 could stand beside a new primary's; ${fix}`;
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
