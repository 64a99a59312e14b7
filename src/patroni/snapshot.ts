import type { Answered, Snapshot, SnapshotEvent } from './types.js';

/**
 * The snapshot as it must be read at `nowMs`. A fresh snapshot is stale as soon as its time is over, even if the timer that
 * announces this is late (blocked event loop, stopped process, suspended machine).
 */
export function readAt(snapshot: Snapshot, nowMs: number): Snapshot {
  if (snapshot.kind !== 'fresh' || nowMs < snapshot.freshUntilMs) return snapshot; // RFC 9111, section 4.2
  const { freshUntilMs, ...known } = snapshot;
  return { ...known, kind: 'stale', sinceMs: freshUntilMs };
}

/** The snapshot with a new time to live: a shorter one applies at once, a longer one from the next answer on. */
export function withTimeToLive(snapshot: Snapshot, ttlMs: number, nowMs: number): Snapshot {
  if (snapshot.kind !== 'fresh' || snapshot.freshUntilMs <= snapshot.sentAtMs + ttlMs) return readAt(snapshot, nowMs);
  const { answer, sentAtMs, failures } = snapshot;
  return readAt(
    { kind: 'fresh', answer, sentAtMs, freshUntilMs: sentAtMs + ttlMs, ...(failures && { failures }) },
    nowMs,
  );
}

/** When an answer ends: with its time to live or with its lease, whichever is earlier. */
export function endOf({ sentAtMs, lease }: Answered, ttlMs: number): number {
  return Math.min(sentAtMs + ttlMs, lease?.endsAtMs ?? Infinity);
}

/**
 * The snapshot after an event. Only an answer renews the snapshot. A failed poll is counted and changes nothing else.
 *
 * @param ttlMs how long an answer is fresh, from the moment its poll was sent
 */
export function afterEvent(snapshot: Snapshot, event: SnapshotEvent, ttlMs: number, nowMs: number): Snapshot {
  switch (event.kind) {
    case 'answered': {
      const { answer, sentAtMs, lease } = event;
      const freshUntilMs = endOf(event, ttlMs);
      return readAt(
        { kind: 'fresh', answer, sentAtMs, freshUntilMs, ...(lease?.endsAtMs === freshUntilMs && { lease }) },
        nowMs,
      );
    }
    case 'failed': {
      const { failure, sentAtMs } = event;
      const { count, sinceMs } = snapshot.failures ?? { count: 0, sinceMs: sentAtMs };
      return readAt({ ...snapshot, failures: { count: count + 1, sinceMs, last: failure } }, nowMs);
    }
    case 'expired':
      return readAt(snapshot, nowMs);
  }
}
