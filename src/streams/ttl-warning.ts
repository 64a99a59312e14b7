import { breaksRule, safeTtlMs, toleratedMs } from '../patroni/timings.js';
import { ASSUMED_TIMINGS, type PatroniTimings } from '../patroni/timings-in-force.js';

/** The settings that the warnings depend on. */
export interface GuardedCache {
  readonly ttlMs: number;
  /** True if an answer that depends on the leader key ends with its lease: `leader-lease.ts`. */
  readonly leaseGuard: boolean;
}

/** A warning for the operator if `cache.ttl` and Patroni's timings are unsafe together; `undefined` if they are safe. */
export function ttlWarning(cache: GuardedCache, timings: PatroniTimings): string | undefined {
  const warnings = [ttlTooLong(cache, timings), cache.leaseGuard ? ruleBroken(timings) : undefined];
  const sentences = warnings.filter((text) => text !== undefined);
  return sentences.length === 0 ? undefined : sentences.join('. ');
}

/** The warning for the operator while Patroni answers, but its timings are not known. */
export function unknownTimingsWarning({ leaseGuard }: GuardedCache): string {
  const { ttl, loopWait, retryTimeout } = inSeconds(ASSUMED_TIMINGS);
  const assumed = `assumes Patroni's defaults (ttl ${ttl}, loop_wait ${loopWait}, retry_timeout ${retryTimeout})`;
  return (
    "Patroni answers, but its timings are not known: GET /config gives no configuration, or no answer names Patroni's " +
    `version. ${leaseGuard ? `The lease guard ${assumed}, and patroniglue` : 'patroniglue'} cannot check cache.ttl`
  );
}

function ttlTooLong(cache: GuardedCache, timings: PatroniTimings): string | undefined {
  const safeMs = safeTtlMs(timings);
  if (cache.ttlMs <= safeMs) return undefined;
  const { ttl, loopWait, retryTimeout } = inSeconds(timings);
  const safe = safeMs / 1000;
  const sum = `${ttl} - ${loopWait} - ${retryTimeout} = ${safe} s${writtenValues(timings)}`;
  const over = `cache.ttl (${cache.ttlMs / 1000} s) is over Patroni's ttl - loop_wait - retry_timeout (${sum})`;
  const fix = safeMs > 0 ? `set it to ${safe} or less` : `change Patroni's timings: ${timingsFix(timings)}`;
  return cache.leaseGuard
    ? `${over}: the lease guard ends a primary's 200 in time, but answers to other routes may be out of date; ${fix}`
    : `${over}: patroniglue could still answer an old primary's 200 when a new primary answers 200; ${fix}`;
}

function ruleBroken(timings: PatroniTimings): string | undefined {
  if (!breaksRule(timings)) return undefined;
  const { ttl, loopWait, retryTimeout } = inSeconds(timings);
  const sum = `${loopWait} + 2 * ${retryTimeout} = ${loopWait + 2 * retryTimeout} s`;
  const ends = `${toleratedMs(timings) / 1000} s after Patroni has read its DCS, but Patroni itself may answer 200 for longer`;
  return (
    `Patroni's loop_wait + 2 * retry_timeout (${sum}) is over its ttl (${ttl} s), and Patroni before 3.2 does not adjust ` +
    `them: the lease guard ends a primary's 200 ${ends}; ${timingsFix(timings)}`
  );
}

/** What to change in Patroni's dynamic configuration so that it keeps Patroni's rule. */
function timingsFix(timings: PatroniTimings): string {
  const { ttl, loopWait, retryTimeout } = inSeconds(timings);
  const least = Math.floor((ttl - loopWait) / 2);
  const raised = `set ttl to ${loopWait + 2 * retryTimeout} or more`;
  return least >= 3 ? `${raised}, or retry_timeout to ${least} or less` : raised; // 3 s is the minimum of later versions
}

function writtenValues({ written }: PatroniTimings): string {
  if (written === undefined) return '';
  const { ttl, loop_wait: loopWait, retry_timeout: retryTimeout } = written;
  return `; Patroni uses these values, although its configuration says ${ttl}, ${loopWait} and ${retryTimeout}`;
}

function inSeconds({ ttlMs, loopWaitMs, retryTimeoutMs }: PatroniTimings) {
  return { ttl: ttlMs / 1000, loopWait: loopWaitMs / 1000, retryTimeout: retryTimeoutMs / 1000 };
}
