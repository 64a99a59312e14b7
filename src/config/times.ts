import { type Field, type Section, valueOf } from './section.js';
import * as check from './checks.js';

const NO_CACHE =
  '0 leaves nothing to answer with: replies come from the latest snapshot alone ' +
  '(for the Go program it meant no cache); write a time, such as 4';

/** The times of polls and of their answers. */
interface Times {
  readonly ttlMs: number;
  readonly intervalMs: number;
  readonly slowTtlMs: number;
  readonly slowIntervalMs: number;
  readonly timeoutMs: number;
}

/** Times depend on each other: whatever is left out follows from what is written, so that defaults never collide. */
export function readTimes(cache: Section<'cache'>, backend: Section<'backend'>): Times {
  const ttl = cache.read('ttl', check.duration(NO_CACHE));
  const interval = cache.read('interval', check.duration());
  const slowTtl = cache.read('slow-ttl', check.duration());
  const slowInterval = cache.read('slow-interval', check.duration());
  const timeout = backend.read('timeout', check.duration());

  const ttlMs = valueOf(ttl, 4000);
  const slowTtlMs = valueOf(slowTtl, Math.max(15_000, ttlMs));
  const below = (limitName: string, limit: Field<number>, limitMs: number) => ({ limitName, limit, limitMs });
  const [freshFor, slowFreshFor] = [below('cache.ttl', ttl, ttlMs), below('cache.slow-ttl', slowTtl, slowTtlMs)];
  mustBeBelow(backend, 'timeout', timeout, freshFor, 'an answer would end before the next can be given up');
  if (slowTtl.kind !== 'absent') {
    // Left out, it is at least ttl, and said already
    mustBeBelow(backend, 'timeout', timeout, slowFreshFor, 'an answer would end before the next can be given up');
  }
  mustBeBelow(cache, 'interval', interval, freshFor, 'every answer would end before the next is asked for');
  mustBeBelow(
    cache,
    'slow-interval',
    slowInterval,
    slowFreshFor,
    'every answer would end before the next is asked for',
  );
  return {
    ttlMs,
    intervalMs: valueOf(interval, Math.min(1000, Math.floor(ttlMs / 4))),
    slowTtlMs,
    slowIntervalMs: valueOf(slowInterval, Math.min(5000, Math.floor(slowTtlMs / 3))),
    timeoutMs: valueOf(timeout, Math.floor(Math.min(ttlMs, slowTtlMs) / 2)),
  };
}

function mustBeBelow<N extends 'backend' | 'cache'>(
  section: Section<N>,
  key: Parameters<Section<N>['complain']>[0],
  field: Field<number>,
  { limitName, limit, limitMs }: { limitName: string; limit: Field<number>; limitMs: number },
  otherwise: string,
): void {
  if (field.kind !== 'given' || limit.kind === 'bad' || field.value < limitMs) return;
  const limitText = `${limitName} (${limitMs / 1000}${limit.kind === 'absent' ? ' by default' : ''})`;
  section
    .complain(key, field.at)
    .problem(`${field.value / 1000} must be less than ${limitText}, or ${otherwise}; lower the one or raise the other`);
}
