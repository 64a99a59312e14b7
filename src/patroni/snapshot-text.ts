import type { FailureReason, PollFailure, Snapshot } from './types.js';

const REASONS: Readonly<Record<FailureReason, string>> = {
  'timed-out': 'poll timed out',
  refused: 'connection refused',
  unreachable: 'upstream unreachable',
  reset: 'connection reset',
  'cut-off': 'answer cut off',
  'name-lookup': 'name look-up failed',
  tls: 'TLS failed',
  'refused-access': 'access refused',
  malformed: 'answer malformed',
  'too-large': 'answer too large',
  'no-files': 'out of file descriptors',
  other: 'poll failed',
};

/** `connection refused (connect ECONNREFUSED 127.0.0.1:8008)` */
export function describeFailure({ reason, message }: PollFailure): string {
  return `${REASONS[reason]} (${message})`;
}

/** `3.2 s` */
export function describeDuration(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(1)} s`;
}

/** Why a snapshot is not fresh: `stale: poll timed out for 4.0 s`. */
export function describeNotFresh(snapshot: Exclude<Snapshot, { kind: 'fresh' }>, nowMs: number): string {
  const { kind, failures } = snapshot;
  if (failures) return `${kind}: ${REASONS[failures.last.reason]} for ${describeDuration(nowMs - failures.sinceMs)}`;
  if (kind === 'stale' && snapshot.lease) {
    const ago = describeDuration(nowMs - snapshot.sentAtMs); // short if Patroni answers while its HA loop hangs
    const unseen = describeDuration(nowMs - snapshot.lease.lastSeenAtMs);
    return `stale: Patroni has not reached its DCS for ${unseen} (by its answer of ${ago} ago), and may lose its leader key`;
  }
  const askedAtMs = kind === 'stale' ? snapshot.sentAtMs : snapshot.sinceMs;
  return `${kind}: no answer for ${describeDuration(nowMs - askedAtMs)}`;
}
