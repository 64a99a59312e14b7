import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask, METHODS, VERSIONS, type Endpoint, type Reply, type Request } from './ask.js';
import { isBetween } from './moving.js';
import { ALLOWANCES, questions, type AllowedDifference, type Question } from './questions.js';

export interface ComparisonOptions {
  readonly patroni: Endpoint;
  readonly patroniglue: Endpoint;
  /** A difference counts when it is still there after so long: more than two polls of the slowest routes. Default 20 s. */
  readonly patienceMs?: number;
  /** How many requests are under way at a time to each of the two. Default 1. */
  readonly concurrency?: number;
  /** Wait between one request and the next. Default 10. */
  readonly pauseMs?: number;
  /** Told how many of how many requests are decided. */
  readonly onProgress?: (decided: number, all: number) => void;
}

/** What was found of a request. */
export type Verdict =
  | { readonly kind: 'same' }
  /** The same but for values that moved on between two answers of Patroni's: see `isBetween`. */
  | { readonly kind: 'moving' }
  | { readonly kind: 'allowed'; readonly reason: string }
  | { readonly kind: 'different'; readonly how: string }
  /** patroniglue has no answer of Patroni to the route, and says why. */
  | { readonly kind: 'unanswered'; readonly state: 'pending' | 'stale' | 'not-learned'; readonly detail: string };

/** A request, what the two answered last, and what is found of it. */
export interface Row {
  readonly request: Request;
  readonly patroni: Reply;
  readonly patroniglue: Reply;
  readonly verdict: Verdict;
}

export interface Comparison {
  readonly rows: readonly Row[];
  /** Those that are neither the same nor allowed. */
  readonly differences: readonly Row[];
  /** patroniglue refused to learn a route: `cache.learn` is too small. */
  readonly notLearned: boolean;
  readonly tookMs: number;
}

/** Wait between two looks at what differs, and at what patroniglue has just begun to poll. */
const RETRY_MS = 250;
const PENDING_MS = 20;

/** No sooner is "the same but for what moves" good enough: an exact match usually comes within a poll or two. */
const EXACT_FOR = { attempts: 10, ms: 3000 };

/**
 * Asks the two the same questions, by `GET`, `HEAD` and `OPTIONS`, HTTP/1.0 and 1.1, and compares: status always, on
 * `GET` content type and body as well, byte for byte. patroniglue's answer may be one poll older than Patroni's, so what
 * differs is asked again until it is the same or `patienceMs` are over.
 *
 * @throws Error where one of the two cannot be reached, or does not look like what it should be
 */
export async function compare(options: ComparisonOptions): Promise<Comparison> {
  const { patroni, patroniglue, patienceMs = 20_000, concurrency = 1, pauseMs = 10, onProgress } = options;
  const startedAt = performance.now();
  const { tags } = await identify(patroni, patroniglue);
  const exchanges = questions(tags).flatMap((question) => exchangesOf(question));

  let open = exchanges;
  let patienceFrom: number | undefined; // counts when all has been asked once, however long that took
  for (;;) {
    await eachOf(open, concurrency, async (exchange) => {
      await exchange.attempt(patroni, patroniglue, patienceMs);
      onProgress?.(exchanges.length - open.filter(({ decided }) => !decided).length, exchanges.length);
      await sleep(pauseMs);
    });
    open = open.filter(({ decided }) => !decided);
    patienceFrom ??= performance.now();
    if (open.length === 0 || performance.now() - patienceFrom >= patienceMs) break;
    await sleep(RETRY_MS);
  }
  const rows = exchanges.map((exchange) => exchange.row());
  return {
    rows,
    differences: rows.filter(({ verdict }) => verdict.kind === 'different' || verdict.kind === 'unanswered'),
    notLearned: rows.some(({ verdict }) => verdict.kind === 'unanswered' && verdict.state === 'not-learned'),
    tookMs: Math.round(performance.now() - startedAt),
  };
}

/** Patroniglue's own. Patroni takes it for `/health`, and may answer 200 too: the body tells. */
const OWN_ROUTE = '/-/healthy';

function isOwn(reply: Reply): boolean {
  return reply.kind === 'reply' && reply.body.toString() === 'healthy\n';
}

/**
 * Makes sure that the two are what they should be; resolves with the tags of the node, so that they can be asked for.
 *
 * @throws Error a sentence that says which of the two cannot be reached or is something else
 */
export async function identify(
  patroni: Endpoint,
  patroniglue: Endpoint,
): Promise<{ readonly tags: Readonly<Record<string, unknown>> }> {
  const get = (endpoint: Endpoint, target: string): Promise<Reply> =>
    ask(endpoint, { method: 'GET', version: '1.0', target });
  const [theirs, theirHealth, ours] = await Promise.all([
    get(patroni, '/patroni'),
    get(patroni, OWN_ROUTE),
    get(patroniglue, OWN_ROUTE),
  ]);
  if (theirs.kind === 'failure') throw new Error(`no answer of Patroni to GET /patroni: ${theirs.reason}`);
  if (ours.kind === 'failure') throw new Error(`no answer of patroniglue to GET /-/healthy: ${ours.reason}`);
  if (isOwn(theirHealth)) throw new Error('this is not Patroni, but a patroniglue: are the two URLs swapped?');
  if (!isOwn(ours)) throw new Error(`this is not patroniglue, by what it says to GET ${OWN_ROUTE} (${ours.status})`);
  try {
    const status = JSON.parse(theirs.body.toString()) as Readonly<Record<string, unknown>>;
    if (typeof status['patroni'] !== 'object') throw new Error('no "patroni" in it');
    return { tags: (status['tags'] ?? {}) as Readonly<Record<string, unknown>> };
  } catch (cause) {
    throw new Error(`this is not Patroni: GET /patroni is ${theirs.status}, and not a status of Patroni's`, { cause });
  }
}

/** One request in the course of its attempts. */
interface Exchange {
  readonly decided: boolean;
  attempt(patroni: Endpoint, patroniglue: Endpoint, patienceMs: number): Promise<void>;
  row(): Row;
}

function exchangesOf(question: Question): readonly Exchange[] {
  const allowed: AllowedDifference | undefined = question.allowed && ALLOWANCES[question.allowed];
  /** What patroniglue said last to a GET of this, whose status the other methods are to have. */
  let get: Reply | undefined;
  return METHODS.flatMap((method) => VERSIONS.map((version) => ({ target: question.target, method, version }))).map(
    (request): Exchange => {
      /** What Patroni said of late, oldest first. */
      let recent: readonly { readonly reply: Reply; readonly atMs: number }[] = [];
      let row: Row | undefined;
      return {
        get decided() {
          return row !== undefined && isDecided(row.verdict);
        },
        attempt: async (patroni, patroniglue, patienceMs) => {
          const theirs = await ask(patroni, request);
          const ours = await askUntilKnown(patroniglue, request, patienceMs);
          if (request.method === 'GET') get = ours;
          else if (allowed?.patroniglue === 'as-for-get') get = await ask(patroniglue, { ...request, method: 'GET' });
          const nowMs = performance.now();
          recent = [...recent.filter(({ atMs }) => nowMs - atMs < patienceMs / 2), { reply: theirs, atMs: nowMs }];
          let verdict = judge(request, theirs, ours, { allowed, get });
          const [oldest] = recent;
          if (verdict.kind === 'different' && recent.some(({ reply }) => isRepeated(reply, theirs, ours))) {
            verdict = { kind: 'same' };
          } else if (verdict.kind === 'different' && oldest && isLong(recent.length, nowMs - oldest.atMs)) {
            const later = await ask(patroni, request);
            if (isMoving(oldest.reply, ours, later)) verdict = { kind: 'moving' };
          }
          row = { request, patroni: theirs, patroniglue: ours, verdict };
        },
        row: () => {
          if (row === undefined) throw new Error('asked for a row before the first attempt');
          return row;
        },
      };
    },
  );
}

function isLong(attempts: number, ms: number): boolean {
  return attempts >= EXACT_FOR.attempts && ms > EXACT_FOR.ms;
}

/** More attempts cannot change it. */
function isDecided(verdict: Verdict): boolean {
  return verdict.kind === 'unanswered' ? verdict.state === 'not-learned' : verdict.kind !== 'different';
}

/** Waits while a route's first poll is under way. */
async function askUntilKnown(patroniglue: Endpoint, request: Request, patienceMs: number): Promise<Reply> {
  const startedAt = performance.now();
  for (;;) {
    const reply = await ask(patroniglue, request);
    if (unanswered(reply)?.state !== 'pending' || performance.now() - startedAt >= patienceMs) return reply;
    await sleep(PENDING_MS);
  }
}

function judge(
  request: Request,
  patroni: Reply,
  patroniglue: Reply,
  { allowed, get }: { readonly allowed: AllowedDifference | undefined; readonly get: Reply | undefined },
): Verdict {
  if (patroni.kind === 'failure') return { kind: 'different', how: `Patroni: ${patroni.reason}` };
  if (patroniglue.kind === 'failure') return { kind: 'different', how: `patroniglue: ${patroniglue.reason}` };
  const unknown = unanswered(patroniglue);
  if (unknown !== undefined) return { kind: 'unanswered', ...unknown };
  if (patroni.status !== patroniglue.status) {
    const expected = allowed?.patroniglue === 'as-for-get' ? get?.kind === 'reply' && get.status : allowed?.patroniglue;
    return allowed?.methods.includes(request.method) &&
      allowed.patroni.includes(patroni.status) &&
      patroniglue.status === expected
      ? { kind: 'allowed', reason: allowed.reason }
      : { kind: 'different', how: 'status' };
  }
  if (request.method !== 'GET') return { kind: 'same' };
  if (patroni.contentType !== patroniglue.contentType) return { kind: 'different', how: 'content type' };
  if (patroni.body.equals(patroniglue.body)) return { kind: 'same' };
  return { kind: 'different', how: firstDifference(patroni.body, patroniglue.body) };
}

/** What Patroni said before, word for word, and under the status that it gives now. */
function isRepeated(before: Reply, now: Reply, ours: Reply): boolean {
  if (before.kind === 'failure' || now.kind === 'failure' || ours.kind === 'failure') return false;
  return (
    ours.status === now.status &&
    ours.status === before.status &&
    ours.contentType === before.contentType &&
    ours.body.equals(before.body)
  );
}

function isMoving(earlier: Reply, ours: Reply, later: Reply): boolean {
  if (earlier.kind === 'failure' || ours.kind === 'failure' || later.kind === 'failure') return false;
  return (
    ours.status === later.status &&
    ours.contentType === later.contentType &&
    isBetween(earlier.body, ours.body, later.body)
  );
}

/** What patroniglue says of itself where it has no answer of Patroni: a problem (RFC 9457), which Patroni never sends. */
function unanswered(reply: Reply): Omit<Extract<Verdict, { kind: 'unanswered' }>, 'kind'> | undefined {
  if (reply.kind === 'failure' || reply.status !== 503) return undefined;
  if (reply.contentType !== 'application/problem+json') return undefined;
  try {
    const problem = JSON.parse(reply.body.toString()) as Readonly<Record<string, unknown>>;
    const state = problem['state'] === 'pending' || problem['state'] === 'stale' ? problem['state'] : 'not-learned';
    return { state, detail: String(problem['detail']) };
  } catch {
    return { state: 'stale', detail: '' }; // HEAD and OPTIONS have no body to tell; their GET does
  }
}

function firstDifference(patroni: Buffer, patroniglue: Buffer): string {
  const length = Math.max(patroni.length, patroniglue.length);
  let at = 0;
  while (at < length && patroni[at] === patroniglue[at]) at += 1;
  const around = (body: Buffer): string => JSON.stringify(body.toString('latin1', Math.max(at - 30, 0), at + 30));
  return `body from byte ${at} on: ${around(patroni)} and ${around(patroniglue)}`;
}

async function eachOf<T>(items: readonly T[], concurrency: number, body: (item: T) => Promise<void>): Promise<void> {
  const waiting = items.values();
  const worker = async (): Promise<void> => {
    for (const item of waiting) await body(item);
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}
