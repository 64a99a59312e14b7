import { describeFailure, describeNotFresh } from '../patroni/snapshot-text.js';
import { OTHER_ROUTE, canonicalRoute, isSlow, knownPaths, whatIsWrong } from '../patroni/routes.js';
import { originForm } from '../patroni/request-target.js';
import { readAt } from '../patroni/snapshot.js';
import { createFreshReply } from './fresh-reply.js';
import { ownReply } from './own-routes.js';
import { problem } from './reply.js';
import type { CheckRequest, PageReply, Pages, Reply, ReplyClock, Snapshots } from './types.js';
import { REFRESH_PATH } from './types.js';
import type { Snapshot, CanonicalRoute } from '../patroni/types.js';

const ALLOWED = ['GET', 'HEAD', 'OPTIONS'];

/**
 * Makes each reply at once, from the latest snapshots alone. A request may have two effects: patroniglue learns a route, or
 * polls Patroni at once.
 *
 * One poll by `GET` serves `GET`, `HEAD` and `OPTIONS`: on health routes Patroni answers all three with the same status
 * (`do_HEAD`, `do_OPTIONS` in `patroni/api.py`). patroniglue never passes a request on. It answers 405 to every method that
 * could change a cluster.
 *
 * @param pages patroniglue's own pages, besides `/-/healthy` and `/-/ready`
 * @param count called with the route and status of each reply, whether it comes from the witness, and the request; not
 *   called for patroniglue's own pages
 */
export function createHandler<Page extends PageReply = never>(
  snapshots: Snapshots,
  clock: ReplyClock,
  pages: Pages<Page> = new Map(),
  count: (route: string, status: number, byWitness: boolean, request: CheckRequest) => void = () => undefined,
): (request: CheckRequest) => Reply | Page {
  const freshReply = createFreshReply();
  const counted = (request: CheckRequest, route: string, reply: Reply, byWitness = false): Reply => {
    count(route, reply.status, byWitness, request);
    return reply;
  };
  return (request) => {
    const target = originForm(request.target);
    if (target === REFRESH_PATH && pages.refresh) return pages.refresh(request);
    const refusal = refusalOf(request);
    if (refusal) return counted(request, OTHER_ROUTE, refusal);
    const own = ownReply(request, target, snapshots, clock, pages);
    if (own) return own;
    const route = canonicalRoute(target);
    if (route === undefined) return counted(request, OTHER_ROUTE, noRoute(target, snapshots));
    const forbidden = isSlow(route) ? pages.refusal?.(request) : undefined;
    if (forbidden) return counted(request, route, forbidden);
    const latest = snapshots.ask(route);
    if (latest === undefined) return counted(request, OTHER_ROUTE, notLearned(route, snapshots));
    const nowMs = clock.nowMs(); // read after `ask`, so that the age is never too small
    const snapshot = readAt(latest, nowMs);
    return snapshot.kind === 'fresh'
      ? counted(request, route, freshReply(snapshot, nowMs), snapshot.witness !== undefined)
      : counted(request, route, notFreshReply(route, snapshot, nowMs, clock));
  };
}

/** The reply to a request that is wrong for every route. */
function refusalOf({ method, httpVersion, hasBody }: CheckRequest): Reply | undefined {
  if (!httpVersion.startsWith('1.'))
    return problem(400, 'patroniglue speaks HTTP/1.0 and HTTP/1.1 only', {}, closing(true));
  if (!ALLOWED.includes(method)) {
    const headers = closing(hasBody, { Allow: ALLOWED.join(', ') });
    return problem(405, `${method} is not served here: patroniglue only reads`, {}, headers);
  }
  return hasBody ? problem(413, 'a health check has no body', {}, closing(true)) : undefined;
}

function noRoute(target: string, { maxLearned, prefetched }: Snapshots): Reply {
  const malformed = whatIsWrong(target);
  if (malformed !== undefined) return problem(400, malformed);
  return problem(404, 'patroniglue has no such route', { routes: maxLearned > 0 ? knownPaths : prefetched });
}

function notLearned(route: CanonicalRoute, { maxLearned, prefetched }: Snapshots): Reply {
  if (maxLearned === 0)
    return problem(404, `${route} is not in backend.routes, and cache.learn is 0`, { routes: prefetched });
  const detail = `${route} is not polled: ${maxLearned} routes are learned already, the most that cache.learn allows`;
  return problem(503, detail, { route, state: 'not-learned' });
}

function notFreshReply(
  route: CanonicalRoute,
  snapshot: Exclude<Snapshot, { kind: 'fresh' }>,
  nowMs: number,
  clock: ReplyClock,
): Reply {
  const { kind, sinceMs, failures } = snapshot;
  const members = {
    route,
    state: kind,
    since: new Date(clock.wallMs() - (nowMs - sinceMs)).toISOString(),
    ...(failures && { 'failed-polls': failures.count, 'last-failure': describeFailure(failures.last) }),
  };
  const detail = `no fresh answer of Patroni to ${route}: ${describeNotFresh(snapshot, nowMs)}`;
  return problem(503, detail, members, kind === 'pending' ? { 'Retry-After': 1 } : {});
}

function closing(close: boolean, headers: Reply['headers'] = {}): Reply['headers'] {
  return close ? { ...headers, Connection: 'close' } : headers;
}
