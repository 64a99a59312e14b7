import { knownPaths } from '../../../src/patroni/routes.js';

/** One request target, and how the two may answer it differently. */
export interface Question {
  /** Path and query, byte for byte as they are sent. */
  readonly target: string;
  readonly allowed?: Allowance;
}

/** The differences on purpose, which docs/routes.md names. Whatever else differs is a mistake. */
export type Allowance = keyof typeof ALLOWANCES;

/** What is allowed of a question: by which methods, with which statuses of Patroni and patroniglue, and why. */
export interface AllowedDifference {
  readonly reason: string;
  readonly methods: readonly string[];
  readonly patroni: readonly number[];
  /** `as-for-get`: the status that patroniglue gives to a `GET` of the same. */
  readonly patroniglue: number | 'as-for-get';
}

const ALL_METHODS = ['GET', 'HEAD', 'OPTIONS'];

export const ALLOWANCES = {
  'get-only': {
    reason: "Patroni's HEAD and OPTIONS of this route are a meaningless 503",
    methods: ['HEAD', 'OPTIONS'],
    patroni: [503],
    patroniglue: 'as-for-get',
  },
  'unknown-path': {
    reason: 'an unknown path, which Patroni refuses or matches loosely',
    methods: ALL_METHODS,
    patroni: [503, 200],
    patroniglue: 404,
  },
  malformed: {
    reason: 'a malformed request, which Patroni reads in its own way',
    methods: ALL_METHODS,
    patroni: [503, 200],
    patroniglue: 400,
  },
  'trailing-slash': {
    reason: 'Patroni knows this path only without the trailing slash',
    methods: ALL_METHODS,
    patroni: [503],
    patroniglue: 404,
  },
} as const satisfies Record<string, AllowedDifference>;

/** Has a `do_GET_…` of its own in `patroni/api.py`, which `HEAD` and `OPTIONS` do not reach. */
const GET_ONLY = ['/liveness', '/readiness', '/patroni', '/cluster', '/history', '/config', '/metrics'];

/** Compared whole in `do_GET`, where the others are looked for anywhere in the path: a trailing slash is another path. */
const COMPARED_WHOLE = [
  '/sync',
  '/synchronous',
  '/async',
  '/asynchronous',
  '/quorum',
  '/read-only-sync',
  '/read-only-synchronous',
  '/read-only-quorum',
];

/** Where a query changes the answer in the same way as on `/replica`. */
const REPLICA_PATHS = ['/replica', '/read-only', ...COMPARED_WHOLE];

/** `parse_int(value, 'B')` in `patroni/utils.py`; what it cannot read is no limit at all. */
const LAGS = [
  ['10MB', '10%20MB', '10+MB', '%2010MB%20', '%31%30MB', '%2B10MB', '10485760', '10485760B', '10240kB'], // one and the same
  ['%C2%A010%1CMB', '%EF%BC%91MB'], // what Python strips as blank, and what it does not read as a digit
  ['0', '-0', '00', '0kB', '-1', '-10MB', '-0x1'],
  ['0x1000000', '0xFF', '0xabMB', '0XFFFF', '0x', '050000000', '077777777', '089'], // C's hexadecimal and octal; `0X` and `089` are not
  ['1.5', '12.5MB', '.5GB', '1e6', '1e8', '1E+8', '1e-3', '1e3kB'],
  ['10mb', '1TB', '1PB', '10MB1', '10_000', 'abc', '-', '99999999999999999999'],
].flat();

/** Not `lag=…` alone: blank and repeated keys, other separators, encoded keys. */
const LAG_QUERIES = [
  ['', 'lag', 'lag=', 'lag=&lag=-1', 'lag=10MB&lag=-1', 'lag=-1&lag=10MB', 'lag=abc&lag=-1', '&lag=-1&&'],
  ['l%61g=-1', 'LAG=-1', 'lag==-1', '?lag=-1', 'other=1&lag=10MB'],
].flat();

const REPLICATION_STATES = ['streaming', 'in+archive+recovery', 'in%20archive%20recovery', 'nonsense'];

const MODES = ['mode=write', 'mode=nonsense', 'lag=10MB&mode=write', 'mode=write&lag=0', 'mode=&mode=write'];

/** Nobody has such a tag. */
const UNKNOWN_TAG = 'patroniglue-conformance';

/** Slashes at the beginning are one, and an absolute URI is its path: to Python's server (since 3.7.14 to 3.11), and to us. */
const SPELLINGS = ['//', '//leader', '///primary', '//sync', 'http://localhost/primary', 'HTTP://x:1/replica?lag=-1'];

/** Paths that are in no table: Patroni finds a role in some of them. */
const UNKNOWN_PATHS = [
  '/nonsense',
  '/my-primary',
  '/primary/x',
  '/PRIMARY',
  '/%70rimary',
  'http://localhost//primary',
  '/replicas?lag=10MB',
  '/healthz',
  '/patroni/x',
];

/** Not in origin form, or not encoded as it should be, or too long. */
const MALFORMED = [
  '*',
  '/primary#x',
  '/primary;x',
  '/replica?lag=10MB;lag=-1',
  '/replica?tag_[a]="b"',
  '/replica?lag=%FF',
  '/replica?lag=%2',
  '/replica?tag_\xe9=1',
  `/replica?lag=${'0'.repeat(2100)}`,
];

/**
 * Everything that the two are asked: each path of the table, with and without the trailing slash, and the queries that
 * Patroni knows. All spellings of a query are tried where it decides: of `lag` on `/replica`, of tags on `/health`,
 * which is 200 on every healthy node; the other routes get one of each kind, so that patroniglue has not to learn (and
 * Patroni to answer) the product of both.
 *
 * @param allTags those of the node that is asked
 */
export function questions(allTags: Readonly<Record<string, unknown>>): readonly Question[] {
  const tags = Object.fromEntries(Object.entries(allTags).slice(0, 8)); // enough to see every type of value
  const matching = tagQuery(tags);
  const unknown = `tag_${UNKNOWN_TAG}=1`;
  const ask = (path: string, queries: readonly string[]): string[] => queries.map((query) => `${path}?${query}`);
  const known = [
    ...knownPaths,
    ...SPELLINGS,
    ...knownPaths.filter((path) => path !== '/' && !COMPARED_WHOLE.includes(path)).map((path) => `${path}/`),
    ...knownPaths.flatMap((path) => ask(path, [unknown])),
    ...ask('/replica', [...LAGS.map((lag) => `lag=${lag}`), ...LAG_QUERIES]),
    ...ask('/replica/', ['lag=10MB']),
    ...ask(
      '/replica',
      REPLICATION_STATES.map((state) => `replication_state=${state}`),
    ),
    ...REPLICA_PATHS.flatMap((path) => ask(path, ['lag=10MB', matching])),
    ...ask('/read-only', ['lag=-1', 'replication_state=nonsense']),
    ...ask('/replica', [`lag=10MB&${matching}`, `${matching}&lag=-1`]),
    ...ask('/health', ['lag=-1', ...tagQueries(tags)]),
    ...ask('/primary', ['lag=-1', 'replication_state=nonsense']),
    ...ask('/readiness', ['lag=10MB', 'lag=10%20MB', 'lag=0', 'lag=-1', 'lag=abc', ...MODES]),
  ];
  return [...new Set(known)]
    .map((target): Question => (GET_ONLY.includes(pathOf(target)) ? { target, allowed: 'get-only' } : { target }))
    .concat(COMPARED_WHOLE.map((path) => ({ target: `${path}/`, allowed: allowedOfSlash(path) })))
    .concat(UNKNOWN_PATHS.map((target) => ({ target, allowed: 'unknown-path' })))
    .concat(MALFORMED.map((target) => ({ target, allowed: 'malformed' })));
}

/** Patroni before 4 has no `/read-only-quorum`, and finds `read-only` in it, with the slash or without. */
function allowedOfSlash(path: string): Allowance {
  return path === '/read-only-quorum' ? 'unknown-path' : 'trailing-slash';
}

function pathOf(target: string): string {
  return target.replace(/\?.*$/s, '').replace(/(?<=.)\/$/, '');
}

/** All tags of the node, each with its value: true of it. */
function tagQuery(tags: Readonly<Record<string, unknown>>): string {
  const all = Object.entries(tags).map(([name, value]) => tag(name, value));
  return all.length === 0 ? 'tag_=' : all.join('&'); // a blank value is none at all
}

/** Queries about tags that the node has, and about others: each tag's value, and all spellings of the first one. */
function tagQueries(tags: Readonly<Record<string, unknown>>): readonly string[] {
  const entries = Object.entries(tags);
  const unknown = `tag_${UNKNOWN_TAG}=1`;
  return [
    tagQuery(tags),
    ...['tag_=1', 'tag_', `tag_${UNKNOWN_TAG}=`],
    ...entries.flatMap(([name, value]) => [tag(name, value), tag(name, text(value).toUpperCase())]),
    ...entries.slice(0, 1).flatMap(([name, value]) => {
      const right = tag(name, value);
      const wrong = tag(name, UNKNOWN_TAG);
      const key = right.slice(0, right.indexOf('='));
      return [
        wrong,
        right.replaceAll('%20', '+'),
        `%74${right.slice(1)}`,
        `${right}%20`,
        `${key}=`,
        `${key}=&${wrong}`,
        `${right}&${wrong}`,
        `${wrong}&${right}`,
        `${right}&${unknown}`,
        `${unknown}&${right}`,
        `${key.replace('tag_', 'TAG_')}=${UNKNOWN_TAG}`,
      ];
    }),
  ];
}

function tag(name: string, value: unknown): string {
  return `tag_${encodeURIComponent(name)}=${encodeURIComponent(text(value))}`;
}

/** As Patroni compares it: `str(value).lower()`, but a string as it is. */
function text(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value).toLowerCase();
}
