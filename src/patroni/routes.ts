import { canonicalQuery } from './query.js';
import { malformation } from './request-target.js';
import type { CanonicalRoute } from './types.js';

interface Question {
  /** Paths to which Patroni gives the same answer; the first is the canonical one. */
  readonly paths: readonly [string, ...string[]];
  /** Query keys that change the answer; a trailing `*` matches any ending. All other keys are dropped. */
  readonly queryKeys: readonly string[];
  /** Patroni compares the whole path: with a slash at its end, the path is unknown to Patroni, which answers 503. */
  readonly exact?: true;
  /** Which node answers 200: only the holder of the leader key, or replicas as well. Absent if the leader key does not matter. */
  readonly leader?: 'leader-only' | 'leader-or-replica';
  /** For people and monitoring: polled every `cache.slow-interval`, fresh for `cache.slow-ttl`. */
  readonly slow?: true;
  /** The body is not that of `_write_status_response`, which has a member `patroni` whatever the status is. */
  readonly otherBody?: true;
}

const REPLICA_KEYS = ['lag', 'replication_state', 'tag_*'] as const;

/**
 * Every question that Patroni's REST API can be asked, from `do_GET` and its siblings in `patroni/api.py` (3.0.2 and
 * 4.1.4). Patroni checks `tag_*` for `/health` as for the replica routes; only the leader routes ignore tags.
 */
const QUESTIONS: readonly Question[] = [
  { paths: ['/primary', '/', '/master', '/read-write'], queryKeys: [], leader: 'leader-only' },
  { paths: ['/leader'], queryKeys: [], leader: 'leader-only' },
  { paths: ['/standby-leader', '/standby_leader'], queryKeys: [], leader: 'leader-only' },
  { paths: ['/replica'], queryKeys: REPLICA_KEYS },
  { paths: ['/read-only'], queryKeys: REPLICA_KEYS, leader: 'leader-or-replica' },
  { paths: ['/sync', '/synchronous'], queryKeys: REPLICA_KEYS, exact: true },
  { paths: ['/async', '/asynchronous'], queryKeys: REPLICA_KEYS, exact: true },
  { paths: ['/quorum'], queryKeys: REPLICA_KEYS, exact: true },
  {
    paths: ['/read-only-sync', '/read-only-synchronous'],
    queryKeys: REPLICA_KEYS,
    exact: true,
    leader: 'leader-or-replica',
  },
  { paths: ['/read-only-quorum'], queryKeys: REPLICA_KEYS, exact: true, leader: 'leader-or-replica' },
  { paths: ['/health'], queryKeys: ['tag_*'] },
  { paths: ['/readiness'], queryKeys: ['lag', 'mode'], otherBody: true },
  { paths: ['/liveness'], queryKeys: [], otherBody: true },
  { paths: ['/patroni'], queryKeys: [], slow: true },
  { paths: ['/cluster'], queryKeys: [], slow: true, otherBody: true },
  { paths: ['/history'], queryKeys: [], slow: true, otherBody: true },
  { paths: ['/config'], queryKeys: [], slow: true, otherBody: true },
  { paths: ['/metrics'], queryKeys: [], slow: true, otherBody: true },
];

const byPath = new Map(QUESTIONS.flatMap((question) => question.paths.map((path) => [path, question] as const)));

/** In place of a route: what was asked is no route that patroniglue polls. Counts of replies have it. */
export const OTHER_ROUTE = 'other';

/** Every known path with its aliases, in the order of the table. */
export const knownPaths: readonly string[] = [...byPath.keys()];

/**
 * The canonical route of `target`; `undefined` if the table does not have its path, or if `target` is malformed. Paths match
 * exactly, and case matters; a slash at the end is dropped where Patroni ignores it. {@link canonicalQuery} treats the query.
 * Two targets that Patroni may answer differently never have the same canonical route.
 *
 * @param target a request target in origin form: `/replica?lag=10MB`
 */
export function canonicalRoute(target: string): CanonicalRoute | undefined {
  const plain = byPath.get(target); // nearly every check asks for a plain path: nothing more to parse
  if (plain !== undefined) return plain.paths[0] as CanonicalRoute;
  if (malformation(target) !== undefined) return undefined;
  const [path, query] = split(target);
  const question = questionAt(path);
  if (question === undefined) return undefined;
  const { paths, queryKeys } = question;
  const asked = query === '' || queryKeys.length === 0 ? '' : canonicalQuery(query, queryKeys);
  return asked === undefined ? undefined : ((paths[0] + asked) as CanonicalRoute);
}

/** What is wrong with a target without a canonical route, in a sentence; `undefined` if its path is merely unknown. */
export function whatIsWrong(target: string): string | undefined {
  if (canonicalRoute(target) !== undefined) return undefined;
  return malformation(target) ?? (questionAt(split(target)[0]) && 'the lag in the query is out of range');
}

/** True for the routes for people and monitoring, which patroniglue polls at the slow pace. */
export function isSlow(route: CanonicalRoute): boolean {
  return byPath.get(route)?.slow ?? false; // slow routes have no query: the route is its path
}

/** Which node answers 200 to a route, where the leader key decides this; `undefined` for all other routes. */
export function leaderRoute(route: CanonicalRoute): Question['leader'] {
  return byPath.get(split(route)[0])?.leader;
}

/** True if Patroni's answer to a route has a member `patroni` in its body, whatever its status is. */
export function namesPatroni(route: CanonicalRoute): boolean {
  const question = byPath.get(split(route)[0]);
  return question !== undefined && question.otherBody === undefined;
}

/** The path of a canonical route, and its query keys with their values. */
export function partsOf(route: CanonicalRoute): { readonly path: string; readonly query: URLSearchParams } {
  const [path, query] = split(route);
  return { path, query: new URLSearchParams(`&${query}`) };
}

function split(target: string): [path: string, query: string] {
  const [, path = '', query = ''] = /^([^?]*)(?:\?(.*))?$/.exec(target) ?? [];
  return [path, query];
}

function questionAt(path: string): Question | undefined {
  const question = byPath.get(path);
  if (question !== undefined || !path.endsWith('/') || path === '//') return question; // `//` is no spelling of `/`
  const beforeSlash = byPath.get(path.slice(0, -1));
  return beforeSlash?.exact ? undefined : beforeSlash;
}
