import { readAt } from '../snapshot.js';
import type { Reply, ReplyClock, Snapshots } from './handler.js';

/**
 * What concerns patroniglue itself, under `/-/`, where Patroni has no route: `undefined` for any other target.
 *
 * - `/-/healthy`: 200 while the process answers.
 * - `/-/ready`: 200 when every prefetched route is fresh, else 503; names those that are not.
 */
export function ownReply(target: string, snapshots: Snapshots, clock: ReplyClock): Reply | undefined {
  if (!target.startsWith('/-/')) return undefined;
  const path = target.split('?', 1)[0];
  if (path === '/-/healthy') return textReply(200, 'healthy\n');
  if (path === '/-/ready') return readiness(snapshots, clock.nowMs());
  return undefined;
}

function readiness(snapshots: Snapshots, nowMs: number): Reply {
  const unknown = snapshots.prefetched.filter((route) => {
    const snapshot = snapshots.latest(route);
    return snapshot === undefined || readAt(snapshot, nowMs).kind !== 'fresh';
  });
  return unknown.length === 0
    ? textReply(200, 'ready\n')
    : textReply(503, `not ready: no fresh answer to ${unknown.join(', ')}\n`);
}

function textReply(status: number, body: string): Reply {
  return {
    status,
    headers: {
      'Content-Type': 'text/plain; charset=utf-8',
      'Content-Length': Buffer.byteLength(body),
      'Cache-Control': 'no-store',
    },
    body,
  };
}
