import { canonicalQuery } from './query.js';
import { malformation } from './request-target.js';
import type { CanonicalRoute } from './types.js';

interface Question {
  /** Paths that Patroni answers alike; the first is the canonical one. */
  readonly paths: readonly [string, ...string[]];
  /** Query keys that change the answer; a trailing `*` stands for any end. All others are dropped. */
  readonly queryKeys: readonly string[];
  /** Patroni compares the path as a whole: with a slash after it, it is another one, to which it says 503. */
  readonly exact?: true;
  /** A 200 is given by the holder of the leader key alone, or by it and by replicas. */
  readonly leader?: 'alone' | 'too';
  /** Read by people and monitoring: polled every `cache.slow-interval`, fresh for `cache.slow-ttl`. */
  readonly slow?: true;
}

const REPLICA_KEYS = ['lag', 'replication_state', 'tag_*'] as const;

/**
 * Every question that Patroni's REST API can be asked, from `do_GET` and its siblings in `patroni/api.py` (3.0.2 and
 * 4.1.4). `/health` is matched against `tag_*` there as the replica routes are; only the leader routes ignore tags.
 */
const QUESTIONS: readonly Question[] = [
  { paths: ['/primary', '/', '/master', '/read-write'], queryKeys: [], leader: 'alone' },
  { paths: ['/leader'], queryKeys: [], leader: 'alone' },
  { paths: ['/standby-leader', '/standby_leader'], queryKeys: [], leader: 'alone' },
  { paths: ['/replica'], queryKeys: REPLICA_KEYS },
  { paths: ['/read-only'], queryKeys: REPLICA_KEYS, leader: 'too' },
  { paths: ['/sync', '/synchronous'], queryKeys: REPLICA_KEYS, exact: true },
  { paths: ['/async', '/asynchronous'], queryKeys: REPLICA_KEYS, exact: true },
  { paths: ['/quorum'], queryKeys: REPLICA_KEYS, exact: true },
  { paths: ['/read-only-sync', '/read-only-synchronous'], queryKeys: REPLICA_KEYS, exact: true, leader: 'too' },
  { paths: ['/read-only-quorum'], queryKeys: REPLICA_KEYS, exact: true, leader: 'too' },
  { paths: ['/health'], queryKeys: ['tag_*'] },
  { paths: ['/readiness'], queryKeys: ['lag', 'mode'] },
  { paths: ['/liveness'], queryKeys: [] },
  { paths: ['/patroni'], queryKeys: [], slow: true },
  { paths: ['/cluster'], queryKeys: [], slow: true },
  { paths: ['/history'], queryKeys: [], slow: true },
  { paths: ['/config'], queryKeys: [], slow: true },
  { paths: ['/metrics'], queryKeys: [], slow: true },
];

const byPath = new Map(QUESTIONS.flatMap((question) => question.paths.map((path) => [path, question] as const)));

/** Every path that is known, aliases included, in the order of the table. */
export const knownPaths: readonly string[] = [...byPath.keys()];

/**
 * The one question that answers `target`, or `undefined` where there is none in the table, or what is asked is malformed.
 * Paths match exactly, case and all; a slash after them is dropped where Patroni takes no notice of it. What the query says
 * is in {@link canonicalQuery}. Two targets that Patroni may answer differently never have the same canonical route.
 *
 * @param target a request target in origin form: `/replica?lag=10MB`
 */
export function canonicalRoute(target: string): CanonicalRoute | undefined {
  const plain = byPath.get(target); // what nearly every check asks: there is nothing more to read in it
  if (plain !== undefined) return plain.paths[0] as CanonicalRoute;
  if (malformation(target) !== undefined) return undefined;
  const [path, query] = split(target);
  const question = questionAt(path);
  if (question === undefined) return undefined;
  const { paths, queryKeys } = question;
  const asked = query === '' || queryKeys.length === 0 ? '' : canonicalQuery(query, queryKeys);
  return asked === undefined ? undefined : ((paths[0] + asked) as CanonicalRoute);
}

/** What is wrong with a target that has no canonical route, in a sentence; `undefined` if nothing but that it is unknown. */
export function whatIsWrong(target: string): string | undefined {
  if (canonicalRoute(target) !== undefined) return undefined;
  return malformation(target) ?? (questionAt(split(target)[0]) && 'its lag is beyond all bounds');
}

/** True for the routes of people and monitoring, which are polled at the slow pace. */
export function isSlow(route: CanonicalRoute): boolean {
  return byPath.get(route)?.slow ?? false; // slow routes have no query: the route is its path
}

/** Whether Patroni says 200 to a route because the node holds the leader key: `alone`, or for replicas `too`. */
export function leaderRoute(route: CanonicalRoute): Question['leader'] {
  return byPath.get(split(route)[0])?.leader;
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
