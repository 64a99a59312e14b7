import http, { type ClientRequest, type IncomingMessage, type RequestOptions, validateHeaderValue } from 'node:http';
import https from 'node:https';
import axios, { type AxiosInstance, type AxiosRequestConfig, type AxiosResponse } from 'axios';
import { Observable, switchMap, throwError, timeout } from 'rxjs';
import { authority, withoutZone } from '../network/authority.js';
import { MalformedAnswerError } from './failure.js';
import { type Address, type Addresses, type OnAddresses, type ResolveAll, createAddresses } from './addresses.js';
import { type UpstreamAgentOptions, createUpstreamAgent, withCode } from './connection.js';
import type { Answer, CanonicalRoute } from '../patroni/types.js';

/** How patroniglue reaches Patroni's REST API. */
export interface Upstream extends Omit<UpstreamAgentOptions, 'maxBytes'> {
  readonly host: string;
  readonly port: number;
  /** Look-up of `host`; replaced in tests. */
  readonly resolve?: ResolveAll | undefined;
  /** Called after each look-up: see {@link createAddresses}. */
  readonly onAddresses?: OnAddresses | undefined;
}

/** The most bytes of an answer's body. A larger body is a failed poll; Patroni's bodies have a few kilobytes. */
export const MAX_BODY_BYTES = 1024 * 1024;

/** The reason of an abort. Without a reason, Node would make an error with a stack for each poll. */
const UNSUBSCRIBED = 'unsubscribed';

/** The most bytes besides the body: status line, headers, chunk sizes. */
const MAX_FRAMING_BYTES = 65_536;

/**
 * The most parts of an answer's body. A part is a chunk, or the share of a chunk that one read brought. Each part costs a
 * microsecond and some hundred bytes, whatever its size: without this limit, a megabyte of one-byte chunks blocked the event
 * loop for 0.1 s at a time, and left 70 MB of garbage for each poll.
 */
export const MAX_PARTS = 4096;

/**
 * The most 1xx responses before the answer. A client must be able to read one or more (RFC 9110, section 15.2), but Patroni
 * sends none. Each costs several microseconds, and one read can bring thousands.
 */
export const MAX_INTERIM = 16;

/**
 * A cold observable for a route. Each subscription asks once, on a new connection. It emits the complete answer and
 * completes, or it errors. Unsubscription destroys the socket.
 */
export type RequestPatroni = (route: CanonicalRoute) => Observable<Answer>;

/** Requests to the upstream. */
export function createRequest(upstream: Upstream): RequestPatroni {
  const client = createClient(upstream);
  const { scheme, connectMs } = upstream;
  const { address$, answeredBy } = createAddresses(upstream.host, upstream.resolve, upstream.onAddresses);
  const known$ = address$.pipe(
    // Before the deadline of the poll: a slow look-up must not count as a frozen upstream, since nothing has reached it.
    timeout({
      first: connectMs,
      with: () => throwError(() => withCode('EAI_AGAIN', `name not looked up within ${connectMs / 1000} s`)),
    }),
  );
  // switchMap: there is one list of addresses, and unsubscription passes through
  return (route) => known$.pipe(switchMap((addresses) => ask(client, { scheme, route, addresses, answeredBy })));
}

/** One request to Patroni. */
interface PatroniRequest extends Pick<Addresses, 'answeredBy'> {
  readonly scheme: Upstream['scheme'];
  readonly route: CanonicalRoute;
  readonly addresses: Address[];
}

function ask(client: AxiosInstance, { scheme, route, addresses, answeredBy }: PatroniRequest): Observable<Answer> {
  return new Observable((subscriber) => {
    const abort = new AbortController();
    let address: string | undefined;
    const transport = boundedTransport(scheme, {
      onTooMany(message) {
        subscriber.error(withCode('ERR_TOO_LARGE', message)); // this aborts the request
      },
      onResponse({ socket }) {
        address = socket.remoteAddress;
      },
    });
    client.get<Buffer>(route, { signal: abort.signal, lookup: fixedLookup(addresses), transport }).then(
      (response) => {
        try {
          const answer = toAnswer(response);
          if (answeredBy(address)) subscriber.next(answer);
          else
            subscriber.error(
              new MalformedAnswerError(`from ${address ?? '?'}, but patroniglue asks another address by now`),
            );
          subscriber.complete();
        } catch (cause) {
          subscriber.error(cause);
        }
      },
      (cause: unknown) => {
        subscriber.error(cause);
      },
    );
    return () => {
      abort.abort(UNSUBSCRIBED);
    };
  });
}

/** A look-up that gives addresses which are known already. */
function fixedLookup(addresses: Address[]): NonNullable<AxiosRequestConfig['lookup']> {
  return (_hostname: string, _options: object, callback: (error: Error | null, address: Address[]) => void) => {
    callback(null, addresses);
  };
}

/** axios, made predictable. Without its `timeout`, which does not end a slow body: the poll's deadline does. */
function createClient({ scheme, host, port, ...options }: Upstream): AxiosInstance {
  const agent = createUpstreamAgent({ ...options, host, scheme, maxBytes: MAX_BODY_BYTES + MAX_FRAMING_BYTES });
  return axios.create({
    adapter: 'http',
    baseURL: `${scheme}://${authority(withoutZone(host), port)}`,
    httpAgent: agent,
    httpsAgent: agent,
    proxy: false, // HTTP_PROXY and similar variables must not redirect polls
    maxRedirects: 0, // a redirect is an answer
    validateStatus: null, // every status is an answer
    responseType: 'arraybuffer',
    transformResponse: [],
    decompress: false,
    headers: { Accept: '*/*', 'Accept-Encoding': 'identity', 'User-Agent': 'patroniglue' },
    maxContentLength: MAX_BODY_BYTES,
  });
}

/** Node's own HTTP client, with a limit of parts and 1xx responses. `onTooMany` is called when one is exceeded. */
function boundedTransport(
  scheme: Upstream['scheme'],
  on: { readonly onTooMany: (message: string) => void; readonly onResponse: (response: IncomingMessage) => void },
): Pick<typeof http, 'request'> {
  const { request } = scheme === 'http' ? http : https;
  const countUpTo = (most: number, what: string): (() => void) => {
    let count = 0;
    return () => {
      count += 1;
      if (count === most + 1) on.onTooMany(`more than ${most} ${what}`); // once: the same read may bring many more
    };
  };
  return {
    request(options: RequestOptions | string | URL, onResponse: unknown): ClientRequest {
      const countPart = countUpTo(MAX_PARTS, 'parts');
      const clientRequest = request(options as RequestOptions, onResponse as (response: IncomingMessage) => void);
      clientRequest.on('information', countUpTo(MAX_INTERIM, '1xx responses'));
      // This listener runs after axios' own, which begins to read: an earlier listener for data would take the first part.
      return clientRequest.once('response', (response) => {
        on.onResponse(response);
        response.on('data', countPart);
      });
    },
  };
}

/** @throws MalformedAnswerError if the response is complete, but patroniglue cannot pass it on */
function toAnswer({ status: received, headers, data }: AxiosResponse<Buffer>): Answer {
  const status = received >= 200 && received <= 599 ? received : 502; // RFC 9110, section 15: an invalid status counts as 5xx
  const contentType: unknown = headers['content-type'];
  const lengthKnown = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
  const date = Date.parse(String(headers['date']));
  const dateMs = Number.isNaN(date) ? {} : { dateMs: date };
  if (typeof contentType !== 'string') return { status, body: data, ...dateMs };
  try {
    validateHeaderValue('Content-Type', contentType);
  } catch (cause) {
    throw new MalformedAnswerError('a Content-Type with invalid characters', { cause });
  }
  if (!lengthKnown && /^application\/json\b/i.test(contentType) && isCutOffJson(data)) {
    throw new MalformedAnswerError('JSON that ends in the middle', { reason: 'cut-off' });
  }
  return { status, contentType, body: data, ...dateMs };
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
