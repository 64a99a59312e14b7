import { readAt } from '../patroni/snapshot.js';
import type { CanonicalRoute, Snapshot } from '../patroni/types.js';

/** What checks get now, in one line for `systemctl status`: `200 for /primary; 503 for /replica`. */
export function statusText(routes: ReadonlyMap<CanonicalRoute, Snapshot>, nowMs: number): string {
  const byReply = new Map<string, CanonicalRoute[]>();
  for (const [route, latest] of routes) {
    const reply = replyOf(readAt(latest, nowMs));
    byReply.set(reply, [...(byReply.get(reply) ?? []), route]);
  }
  return [...byReply].map(([reply, those]) => `${reply} for ${those.join(', ')}`).join('; ');
}

function replyOf(snapshot: Snapshot): string {
  if (snapshot.kind !== 'fresh') return `503 (${snapshot.kind})`;
  return `${snapshot.answer.status}${snapshot.witness ? ' (witness)' : ''}`;
}
