/** Marks a string as the canonical spelling of a question to Patroni: path and query, as they are sent. */
export type CanonicalRoute = string & { readonly canonical: unique symbol };

interface Question {
  /** Paths that Patroni answers alike; the first is the canonical one. */
  readonly paths: readonly [string, ...string[]];
  /** Query keys that change the answer; a trailing `*` stands for any end. All others are dropped. */
  readonly queryKeys: readonly string[];
  /** Read by people and monitoring: polled every `cache.slow-interval`, fresh for `cache.slow-ttl`. */
  readonly slow?: true;
}

const REPLICA_KEYS = ['lag', 'replication_state', 'tag_*'] as const;

/**
 * Every question that Patroni's REST API can be asked, from `do_GET` and its siblings in `patroni/api.py` (3.0.2 and
 * 4.1.4). `/health` is matched against `tag_*` there as the replica routes are; only the leader routes ignore tags.
 */
const QUESTIONS: readonly Question[] = [
  { paths: ['/primary', '/', '/master', '/read-write'], queryKeys: [] },
  { paths: ['/leader'], queryKeys: [] },
  { paths: ['/standby-leader', '/standby_leader'], queryKeys: [] },
  { paths: ['/replica'], queryKeys: REPLICA_KEYS },
  { paths: ['/read-only'], queryKeys: REPLICA_KEYS },
  { paths: ['/sync', '/synchronous'], queryKeys: REPLICA_KEYS },
  { paths: ['/async', '/asynchronous'], queryKeys: REPLICA_KEYS },
  { paths: ['/quorum'], queryKeys: REPLICA_KEYS },
  { paths: ['/read-only-sync', '/read-only-synchronous'], queryKeys: REPLICA_KEYS },
  { paths: ['/read-only-quorum'], queryKeys: REPLICA_KEYS },
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

/** What the Go program answered, and so what is prefetched unless `backend.routes` says otherwise. */
export const defaultRoutes: readonly string[] = ['/primary', '/master', '/replica', '/read-write', '/read-only'];

/**
 * The one question that answers `target`, or `undefined` where there is none in the table. Paths match exactly, case
 * and all, but for one trailing slash; keys that cannot change the answer are dropped and the rest sorted by name. Of a
 * repeated key the first value that is not empty stays: Patroni reads `parse_qs(...)[key][0]`, which skips empty ones.
 *
 * @param target a request target in origin form: `/replica?lag=10MB`
 */
export function canonicalRoute(target: string): CanonicalRoute | undefined {
  const queryStart = target.indexOf('?');
  const path = queryStart < 0 ? target : target.slice(0, queryStart);
  const question = byPath.get(path === '//' ? path : path.replace(/(?<=.)\/$/, '')); // `//` is no spelling of `/`
  if (question === undefined) return undefined;
  const query = queryStart < 0 || question.queryKeys.length === 0 ? '' : canonicalQuery(target, queryStart, question);
  return (question.paths[0] + query) as CanonicalRoute;
}

/** True for the routes of people and monitoring, which are polled at the slow pace. */
export function isSlow(route: CanonicalRoute): boolean {
  return byPath.get(route)?.slow ?? false; // slow routes have no query: the route is its path
}

function canonicalQuery(target: string, queryStart: number, { queryKeys }: Question): string {
  const changesTheAnswer = (key: string): boolean =>
    queryKeys.some((known) => (known.endsWith('*') ? key.startsWith(known.slice(0, -1)) : key === known));
  const kept = new Map<string, string>();
  for (const [key, value] of new URLSearchParams(target.slice(queryStart + 1))) {
    if (value !== '' && changesTheAnswer(key) && !kept.has(key)) kept.set(key, value);
  }
  const sorted = [...kept].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.length === 0 ? '' : `?${new URLSearchParams(sorted).toString()}`;
}
