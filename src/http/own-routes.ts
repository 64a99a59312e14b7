import { readAt } from '../patroni/snapshot.js';
import { textReply } from './reply.js';
import type { ReplyClock, Snapshots, PageReply, Pages, Reply } from './types.js';

/**
 * What concerns patroniglue itself, under `/-/`, where Patroni has no route: `undefined` for any other target.
 *
 * - `/-/healthy`: 200 while the process answers.
 * - `/-/ready`: 200 when every prefetched route is fresh, else 503; names those that are not.
 * - and `pages`.
 */
export function ownReply<Page extends PageReply>(
  target: string,
  snapshots: Snapshots,
  clock: ReplyClock,
  pages: Pages<Page>,
): Reply | Page | undefined {
  if (!target.startsWith('/-/')) return undefined;
  const path = target.split('?', 1)[0] ?? target;
  if (path === '/-/healthy') return textReply(200, 'healthy\n');
  if (path === '/-/ready') return readiness(snapshots, clock.nowMs());
  return pages.get(path)?.();
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
