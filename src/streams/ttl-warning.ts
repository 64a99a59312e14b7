import { breaksRule, safeTtlMs, toleratedMs } from '../patroni/timings.js';
import { ASSUMED_TIMINGS, type PatroniTimings } from '../patroni/timings-in-force.js';

/** What is said of `cache.ttl` and of the lease guard. */
export interface GuardedCache {
  readonly ttlMs: number;
  /** Answers that rest on the leader key end with it, by `lease-guard.ts`. */
  readonly leaseGuard: boolean;
}

/** What to tell the operator of a `cache.ttl`, and of timings, that leave too little time; `undefined` where they do not. */
export function ttlWarning(cache: GuardedCache, timings: PatroniTimings): string | undefined {
  const told = [overBound(cache, timings), cache.leaseGuard ? ruleBroken(timings) : undefined];
  const sentences = told.filter((text) => text !== undefined);
  return sentences.length === 0 ? undefined : sentences.join('. ');
}

/** What to tell the operator while Patroni answers, and its timings are not known. */
export function unknownTimingsWarning({ leaseGuard }: GuardedCache): string {
  const { ttl, loopWait, retryTimeout } = inSeconds(ASSUMED_TIMINGS);
  const assumed = `assumes Patroni's defaults (ttl ${ttl}, loop_wait ${loopWait}, retry_timeout ${retryTimeout})`;
  return (
    "Patroni answers, but its timings are not known: GET /config gives no configuration, or no answer names Patroni's " +
    `version. ${leaseGuard ? `The lease guard ${assumed}, and patroniglue` : 'patroniglue'} cannot check cache.ttl`
  );
}

function overBound(cache: GuardedCache, timings: PatroniTimings): string | undefined {
  const safeMs = safeTtlMs(timings);
  if (cache.ttlMs <= safeMs) return undefined;
  const { ttl, loopWait, retryTimeout } = inSeconds(timings);
  const safe = safeMs / 1000;
  const sum = `${ttl} - ${loopWait} - ${retryTimeout} = ${safe} s`;
  const over = `cache.ttl (${cache.ttlMs / 1000} s) is over Patroni's ttl - loop_wait - retry_timeout (${sum}${otherwiseWritten(timings)})`;
  const fix = safeMs > 0 ? `set it to ${safe} or less` : `mend Patroni's timings: ${mended(timings)}`;
  return cache.leaseGuard
    ? `${over}: the lease guard ends a primary's 200 in time, but what other routes say may be older; ${fix}`
    : `${over}: a kept 200 could stand beside a new primary's; ${fix}`;
}

function ruleBroken(timings: PatroniTimings): string | undefined {
  if (!breaksRule(timings)) return undefined;
  const { ttl, loopWait, retryTimeout } = inSeconds(timings);
  const sum = `${loopWait} + 2 * ${retryTimeout} = ${loopWait + 2 * retryTimeout} s`;
  const ends = `${toleratedMs(timings) / 1000} s after Patroni has read its DCS, where Patroni itself may go on for longer`;
  return (
    `Patroni's loop_wait + 2 * retry_timeout (${sum}) is over its ttl (${ttl} s), and Patroni before 3.2 does not adjust ` +
    `them: the lease guard ends a primary's 200 ${ends}; ${mended(timings)}`
  );
}

/** What to change in Patroni's dynamic configuration, so that its rule is kept. */
function mended(timings: PatroniTimings): string {
  const { ttl, loopWait, retryTimeout } = inSeconds(timings);
  const least = Math.floor((ttl - loopWait) / 2);
  const raised = `set ttl to ${loopWait + 2 * retryTimeout} or more`;
  return least >= 3 ? `${raised}, or retry_timeout to ${least} or less` : raised; // 3 s is the least that later versions take
}

function otherwiseWritten({ written }: PatroniTimings): string {
  if (written === undefined) return '';
  const { ttl, loop_wait: loopWait, retry_timeout: retryTimeout } = written;
  return `; it works with these, though ${ttl}, ${loopWait} and ${retryTimeout} are written`;
}

function inSeconds({ ttlMs, loopWaitMs, retryTimeoutMs }: PatroniTimings) {
  return { ttl: ttlMs / 1000, loopWait: loopWaitMs / 1000, retryTimeout: retryTimeoutMs / 1000 };
}
