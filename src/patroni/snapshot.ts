import type { Answered, Snapshot, SnapshotEvent, Witnessed } from './types.js';

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
  const { answer, sentAtMs, failures, witness } = snapshot;
  const freshUntilMs = sentAtMs + ttlMs;
  return readAt(
    { kind: 'fresh', answer, sentAtMs, freshUntilMs, ...(failures && { failures }), ...(witness && { witness }) },
    nowMs,
  );
}

/** When an answer ends: with its time to live or with its lease, whichever is earlier. */
export function endOf(event: Answered | Witnessed, ttlMs: number): number {
  const leaseEndsAtMs = event.kind === 'answered' ? event.lease?.endsAtMs : event.endsAtMs;
  return Math.min(event.sentAtMs + ttlMs, leaseEndsAtMs ?? Infinity);
}

/**
 * The snapshot after an event. Only an answer renews the snapshot. A failed poll is counted and changes nothing else. An
 * answer of the witness does not end the series of failed polls: Patroni still does not answer.
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
    case 'witnessed': {
      const { answer, sentAtMs, source, why } = event;
      const { failures } = snapshot;
      const freshUntilMs = endOf(event, ttlMs);
      return readAt(
        { kind: 'fresh', answer, sentAtMs, freshUntilMs, witness: { source, why }, ...(failures && { failures }) },
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
