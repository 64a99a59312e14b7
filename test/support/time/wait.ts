import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

/** Deadlines are what an idle machine needs at the most. A busy one gets so many times that: only a failure takes longer by it. */
const PATIENCE = 3;

/**
 * Asks `condition` every `everyMs` until it returns something truthy, and resolves with that. A condition that throws is
 * one that does not hold yet. Rejects after three times `deadlineMs` with a sentence made of `label`: "node2 is a replica: not
 * within 60 s", with what the condition last threw or returned.
 */
export async function eventually<T>(
  label: string,
  deadlineMs: number,
  condition: () => T | Promise<T>,
  everyMs = 50,
): Promise<Exclude<T, false | null | undefined>> {
  const startedAt = performance.now();
  const patienceMs = PATIENCE * deadlineMs;
  for (;;) {
    let last: unknown;
    try {
      const value = await condition();
      if (value) return value as Exclude<T, false | null | undefined>;
      last = value;
    } catch (error) {
      last = error;
    }
    if (performance.now() - startedAt >= patienceMs) {
      throw new Error(`${label}: not within ${patienceMs / 1000} s${described(last)}`, { cause: last });
    }
    await sleep(everyMs);
  }
}

/**
 * Asks `condition` every `everyMs` during `durationMs`; rejects with a sentence made of `label` as soon as it does not hold.
 * For what must *not* happen, where there is no event to await.
 */
export async function always(label: string, durationMs: number, condition: () => unknown, everyMs = 50): Promise<void> {
  const startedAt = performance.now();
  for (;;) {
    const holds = await condition();
    const forMs = Math.round(performance.now() - startedAt);
    if (!holds) throw new Error(`${label}: no longer, after ${forMs} ms`);
    if (forMs >= durationMs) return;
    await sleep(everyMs);
  }
}

/** Rejects with a sentence made of `label` if `promise` is not settled after three times `deadlineMs`. */
export async function within<T>(label: string, deadlineMs: number, promise: Promise<T>): Promise<T> {
  const gaveUp = new AbortController();
  const patienceMs = PATIENCE * deadlineMs;
  const deadline = sleep(patienceMs, undefined, { signal: gaveUp.signal }).then(() => {
    throw new Error(`${label}: not within ${patienceMs / 1000} s`);
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    deadline.catch(() => undefined); // the abort below rejects it, and nobody listens any more
    gaveUp.abort();
  }
}

function described(last: unknown): string {
  if (last instanceof Error) return ` (last: ${last.message})`;
  return last === undefined || last === false || last === null ? '' : ` (last: ${JSON.stringify(last)})`;
}
