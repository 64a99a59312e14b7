import type { Field, Fields } from './section.js';
import type { Following } from './types.js';

/**
 * The times that the file does not have, in milliseconds. They follow from the times that it has, so that a default never
 * conflicts with them.
 */
export function defaultTimes({ cache }: Fields): Following<'cache'> & Following<'backend'> {
  const ttlMs = cache.ttlMs.value;
  const slowTtlMs = cache.slowTtlMs.value ?? Math.max(15_000, ttlMs);
  return {
    intervalMs: Math.min(1000, Math.floor(ttlMs / 4)),
    slowTtlMs,
    slowIntervalMs: Math.min(5000, Math.floor(slowTtlMs / 3)),
    timeoutMs: Math.floor(Math.min(ttlMs, slowTtlMs) / 2),
  };
}

/**
 * Reports times that do not fit. The next poll must start, and a poll that hangs must be given up, before the former answer
 * expires.
 */
export function timesMustFit({ cache, backend }: Fields, { slowTtlMs }: { readonly slowTtlMs: number }): void {
  const [ttl, slowTtl] = [cache.ttlMs, cache.slowTtlMs];
  const noTimeToGiveUp = 'Otherwise an answer expires before patroniglue gives up a poll that hangs';
  mustBeBelow(backend.timeoutMs, ttl, ttl.value, noTimeToGiveUp);
  // Without slow-ttl in the file, its default is at least ttl: the check of ttl has already reported the problem.
  if (slowTtl.state !== 'absent') mustBeBelow(backend.timeoutMs, slowTtl, slowTtlMs, noTimeToGiveUp);
  const noTimeToAsk = 'Otherwise each answer expires before the next poll';
  mustBeBelow(cache.intervalMs, ttl, ttl.value, noTimeToAsk);
  mustBeBelow(cache.slowIntervalMs, slowTtl, slowTtlMs, noTimeToAsk);
}

function mustBeBelow(time: Field<number | undefined>, limit: Field<unknown>, limitMs: number, otherwise: string): void {
  if (time.value === undefined || limit.state === 'bad' || time.value < limitMs) return;
  const limitText = `${limit.path} (${limitMs / 1000}${limit.state === 'absent' ? ' by default' : ''})`;
  time.problem(
    `${time.value / 1000} must be less than ${limitText}. ${otherwise}. Lower ${time.path}, or raise ${limit.path}`,
  );
}
