import type { PatroniTimings } from '../../patroni/timings-in-force.js';
import { safeTtlMs } from '../../patroni/timings.js';

/** `cache.ttl` and its bound, in seconds. */
export interface Bound {
  /** Patroni's `ttl - loop_wait - retry_timeout`. */
  readonly boundS: number;
  readonly ttlS: number;
  readonly intervalS: number;
}

const DEFAULT_TTL_S = 4;

/** The default of `cache.ttl` if it is within the bound, or else the bound, with an interval of at most a quarter of it. */
export function boundOf(timings: PatroniTimings): Bound {
  const boundS = safeTtlMs(timings) / 1000;
  const ttlS = Math.min(DEFAULT_TTL_S, boundS);
  return { boundS, ttlS, intervalS: Math.min(1, ttlS / 4) };
}
