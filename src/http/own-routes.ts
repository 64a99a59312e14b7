import { readAt } from '../snapshot.js';
import type { Reply, Snapshots } from './handler.js';

/**
 * What concerns patroniglue itself, under `/-/`, where Patroni has no route: `undefined` for any other target.
 *
 * - `/-/healthy`: 200 while the process answers.
 * - `/-/ready`: 200 when every prefetched route is fresh, else 503; names those that are not.
 */
export function ownReply(target: string, { routes, latest }: Snapshots, nowMs: number): Reply | undefined {
  switch (target.split('?', 1)[0]) {
    case '/-/healthy':
      return textReply(200, 'healthy\n');
    case '/-/ready': {
      const unknown = routes.filter((route) => {
        const snapshot = latest(route);
        return snapshot === undefined || readAt(snapshot, nowMs).kind !== 'fresh';
      });
      return unknown.length === 0
        ? textReply(200, 'ready\n')
        : textReply(503, `not ready: no fresh answer to ${unknown.join(', ')}\n`);
    }
    default:
      return undefined;
  }
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
