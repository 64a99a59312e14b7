import { validateHeaderValue } from 'node:http';
import { type Observable, asyncScheduler, map, switchMap } from 'rxjs';
import { MalformedAnswerError } from './failure.js';
import { type OnAddresses, type ResolveAll, createAddresses, lookedUpWithin } from './addresses.js';
import { type HttpClientOptions, type HttpResponse, createHttpClient } from './http-client.js';
import type { Answer, CanonicalRoute } from '../patroni/types.js';

/** How patroniglue reaches Patroni's REST API. */
export interface Upstream extends HttpClientOptions {
  /** Look-up of `host`; replaced in tests. */
  readonly resolve?: ResolveAll | undefined;
  /** Called after each look-up: see {@link createAddresses}. */
  readonly onAddresses?: OnAddresses | undefined;
}

/**
 * A cold observable for a route. Each subscription asks once, on a new connection. It emits the complete answer and
 * completes, or it errors. Unsubscription destroys the socket.
 */
export type RequestPatroni = (route: CanonicalRoute) => Observable<Answer>;

/** Requests to the upstream. */
export function createRequest(upstream: Upstream): RequestPatroni {
  const client = createHttpClient(upstream);
  const { host, resolve, onAddresses, connectMs } = upstream;
  const { address$, answeredBy } = createAddresses(host, resolve, onAddresses);
  // Before the deadline of the poll: a slow look-up must not count as a frozen upstream, since nothing has reached it.
  const known$ = lookedUpWithin(address$, connectMs, asyncScheduler);
  // switchMap: there is one list of addresses, and unsubscription passes through
  return (route) =>
    known$.pipe(
      switchMap((addresses) => client({ method: 'GET', path: route, addresses })),
      map((response) => {
        const answer = toAnswer(response);
        if (answeredBy(response.address)) return answer;
        throw new MalformedAnswerError(`from ${response.address ?? '?'}, but patroniglue asks another address by now`);
      }),
    );
}

/** @throws MalformedAnswerError if the response is complete, but patroniglue cannot pass it on */
function toAnswer({ status: received, headers, body }: HttpResponse): Answer {
  const status = received >= 200 && received <= 599 ? received : 502; // RFC 9110, section 15: an invalid status counts as 5xx
  const contentType: unknown = headers['content-type'];
  const lengthKnown = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
  const date = Date.parse(String(headers['date']));
  const dateMs = Number.isNaN(date) ? {} : { dateMs: date };
  if (typeof contentType !== 'string') return { status, body, ...dateMs };
  try {
    validateHeaderValue('Content-Type', contentType);
  } catch (cause) {
    throw new MalformedAnswerError('a Content-Type with invalid characters', { cause });
  }
  if (!lengthKnown && /^application\/json\b/i.test(contentType) && isCutOffJson(body)) {
    throw new MalformedAnswerError('JSON that ends in the middle', { reason: 'cut-off' });
  }
  return { status, contentType, body, ...dateMs };
}

const [QUOTE, BACKSLASH, SPACE] = [0x22, 0x5c, 0x20];
const OPENING = [0x5b, 0x7b];
const CLOSING = [0x5d, 0x7d];

/**
 * True if JSON ends too early. Patroni sends no `Content-Length` (`write_response` in `patroni/api.py`): its answers end with
 * the connection (RFC 9112, section 6.3). If Patroni dies in the middle of an answer, the rest is missing, but the response
 * is complete HTTP. Only the JSON shows it. This function counts brackets and does not parse: Python writes `NaN` and
 * `Infinity`, which JSON.parse refuses. It reads each byte once: a regular expression took minutes for a megabyte that ends
 * inside a string full of quotes.
 */
function isCutOffJson(json: Buffer): boolean {
  let depth = 0;
  let isEmpty = true;
  let inString = false;
  for (let index = 0; index < json.length; index += 1) {
    const byte = json[index] ?? SPACE;
    if (byte > SPACE) isEmpty = false;
    if (inString && byte === BACKSLASH) index += 1;
    else if (byte === QUOTE) inString = !inString;
    else if (!inString && OPENING.includes(byte)) depth += 1;
    else if (!inString && CLOSING.includes(byte)) depth -= 1;
  }
  return isEmpty || inString || depth !== 0;
}
