import { readAt } from '../patroni/snapshot.js';
import { textReply } from './reply.js';
import type { CheckRequest, ReplyClock, Snapshots, PageReply, Pages, Reply } from './types.js';

/**
 * The reply to a request for patroniglue's own pages, which are under `/-/`, where Patroni has no route. `undefined` for any
 * other target.
 *
 * - `/-/healthy`: 200 while the process answers.
 * - `/-/ready`: 200 when every prefetched route is fresh, else 503 with the names of the routes that are not.
 * - The rest is in `pages`. A client that may not see them gets 403.
 */
export function ownReply<Page extends PageReply>(
  request: CheckRequest,
  target: string,
  snapshots: Snapshots,
  clock: ReplyClock,
  pages: Pages<Page>,
): Reply | Page | undefined {
  if (!target.startsWith('/-/')) return undefined;
  const path = target.split('?', 1)[0] ?? target;
  if (path === '/-/healthy') return textReply(200, 'healthy\n');
  if (path === '/-/ready') return readiness(snapshots, clock.nowMs());
  const page = pages.get(path);
  return page && (pages.refusal?.(request) ?? page());
}

function readiness(snapshots: Snapshots, nowMs: number): Reply {
  const notFresh = snapshots.prefetched.filter((route) => {
    const snapshot = snapshots.latest(route);
    return snapshot === undefined || readAt(snapshot, nowMs).kind !== 'fresh';
  });
  return notFresh.length === 0
    ? textReply(200, 'ready\n')
    : textReply(503, `not ready: no fresh answer to ${notFresh.join(', ')}\n`);
}
