import http, { type ClientRequest, type IncomingMessage, type RequestOptions, validateHeaderValue } from 'node:http';
import https from 'node:https';
import axios, { type AxiosInstance, type AxiosRequestConfig, type AxiosResponse } from 'axios';
import { Observable, switchMap, throwError, timeout } from 'rxjs';
import { authority, withoutZone } from '../network/authority.js';
import { MalformedAnswerError } from './failure.js';
import { type Address, type Addresses, type OnAddresses, type ResolveAll, createAddresses } from './addresses.js';
import { type UpstreamAgentOptions, createUpstreamAgent, withCode } from './connection.js';
import type { Answer, CanonicalRoute } from '../patroni/types.js';

/** Patroni's REST API, as it is reached. */
export interface Upstream extends Omit<UpstreamAgentOptions, 'maxBytes'> {
  readonly host: string;
  readonly port: number;
  /** Look-up of `host`; replaced in tests. */
  readonly resolve?: ResolveAll | undefined;
  /** Told after each look-up: see {@link createAddresses}. */
  readonly onAddresses?: OnAddresses | undefined;
}

/** An answer's body may have so many bytes; a larger one is a failed poll. Patroni's own are some kilobytes. */
export const MAX_BODY_BYTES = 1024 * 1024;

/** Given, since Node would else make an error with a stack for each poll. */
const UNSUBSCRIBED = 'unsubscribed';

/** What may come besides the body: status line, headers, chunk sizes. */
const MAX_FRAMING_BYTES = 65_536;

/**
 * In so many parts an answer's body may come, each a chunk of it, or what one read brought of it. Each costs a microsecond
 * and some hundred bytes, whatever its size: a megabyte of one-byte chunks held up the event loop for 0.1 s at a time, and
 * left 70 MB of garbage a poll.
 */
export const MAX_PARTS = 4096;

/**
 * So many 1xx responses may come before the answer: one or more have to be read (RFC 9110, section 15.2), and Patroni sends
 * none. Each costs several microseconds, and one read brings thousands.
 */
export const MAX_INTERIM = 16;

/**
 * A cold observable for a route. Each subscription asks once on a connection of its own, emits the answer when its last byte
 * is there and completes, or errors; unsubscription destroys the socket.
 */
export type RequestPatroni = (route: CanonicalRoute) => Observable<Answer>;

/** Requests to the upstream. */
export function createRequest(upstream: Upstream): RequestPatroni {
  const client = createClient(upstream);
  const { scheme, connectMs } = upstream;
  const { address$, answeredBy } = createAddresses(upstream.host, upstream.resolve, upstream.onAddresses);
  const known$ = address$.pipe(
    // before the deadline of the poll: nothing has reached the upstream, which is not frozen by that
    timeout({
      first: connectMs,
      with: () => throwError(() => withCode('EAI_AGAIN', `name not looked up within ${connectMs / 1000} s`)),
    }),
  );
  // switchMap: there is one list of addresses, and unsubscription passes through
  return (route) => known$.pipe(switchMap((addresses) => ask(client, { scheme, route, addresses, answeredBy })));
}

/** One question. */
interface Question extends Pick<Addresses, 'answeredBy'> {
  readonly scheme: Upstream['scheme'];
  readonly route: CanonicalRoute;
  readonly addresses: Address[];
}

function ask(client: AxiosInstance, { scheme, route, addresses, answeredBy }: Question): Observable<Answer> {
  return new Observable((subscriber) => {
    const abort = new AbortController();
    let address: string | undefined;
    const transport = boundedTransport(scheme, {
      onTooMany(message) {
        subscriber.error(withCode('ERR_TOO_LARGE', message)); // which aborts the request
      },
      onResponse({ socket }) {
        address = socket.remoteAddress;
      },
    });
    client.get<Buffer>(route, { signal: abort.signal, lookup: knowing(addresses), transport }).then(
      (response) => {
        try {
          const answer = toAnswer(response);
          if (answeredBy(address)) subscriber.next(answer);
          else subscriber.error(new MalformedAnswerError(`by ${address ?? '?'}, and another address is asked by now`));
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

/** A look-up that knows already. */
function knowing(addresses: Address[]): NonNullable<AxiosRequestConfig['lookup']> {
  return (_hostname: string, _options: object, callback: (error: Error | null, address: Address[]) => void) => {
    callback(null, addresses);
  };
}

/** axios, made predictable. There is no `timeout`: it does not end a body that drips, and the poll's deadline does. */
function createClient({ scheme, host, port, ...options }: Upstream): AxiosInstance {
  const agent = createUpstreamAgent({ ...options, host, scheme, maxBytes: MAX_BODY_BYTES + MAX_FRAMING_BYTES });
  return axios.create({
    adapter: 'http',
    baseURL: `${scheme}://${authority(withoutZone(host), port)}`,
    httpAgent: agent,
    httpsAgent: agent,
    proxy: false, // HTTP_PROXY and friends are for the world outside
    maxRedirects: 0, // a redirect is an answer
    validateStatus: null, // and so is every other status
    responseType: 'arraybuffer',
    transformResponse: [],
    decompress: false,
    headers: { Accept: '*/*', 'Accept-Encoding': 'identity', 'User-Agent': 'patroniglue' },
    maxContentLength: MAX_BODY_BYTES,
  });
}

/** Node's own HTTP client, which tells when more parts or 1xx responses have come than may. */
function boundedTransport(
  scheme: Upstream['scheme'],
  told: { readonly onTooMany: (message: string) => void; readonly onResponse: (response: IncomingMessage) => void },
): Pick<typeof http, 'request'> {
  const { request } = scheme === 'http' ? http : https;
  const upTo = (most: number, what: string): (() => void) => {
    let count = 0;
    return () => {
      count += 1;
      if (count === most + 1) told.onTooMany(`more than ${most} ${what}`); // once, and not for the rest of that read
    };
  };
  return {
    request(options: RequestOptions | string | URL, onResponse: unknown): ClientRequest {
      const countPart = upTo(MAX_PARTS, 'parts');
      const asking = request(options as RequestOptions, onResponse as (response: IncomingMessage) => void);
      asking.on('information', upTo(MAX_INTERIM, '1xx responses'));
      // Behind axios' own listener for the response, which reads it: whoever listens to data before would take its first.
      return asking.once('response', (response) => {
        told.onResponse(response);
        response.on('data', countPart);
      });
    },
  };
}

/** @throws MalformedAnswerError where the response is complete as HTTP, but cannot be passed on */
function toAnswer({ status: received, headers, data }: AxiosResponse<Buffer>): Answer {
  const status = received >= 200 && received <= 599 ? received : 502; // an invalid status is a 5xx: RFC 9110, section 15
  const contentType: unknown = headers['content-type'];
  const lengthKnown = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
  const date = Date.parse(String(headers['date']));
  const dateMs = Number.isNaN(date) ? {} : { dateMs: date };
  if (typeof contentType !== 'string') return { status, body: data, ...dateMs };
  try {
    validateHeaderValue('Content-Type', contentType);
  } catch (cause) {
    throw new MalformedAnswerError('a Content-Type that cannot be repeated', { cause });
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
 * Patroni gives no `Content-Length` (`write_response` in `patroni/api.py`): its answers end where the connection does
 * (RFC 9112, section 6.3), so a process that dies in the middle leaves one that is complete as HTTP. Its JSON tells.
 * Brackets are counted, not values parsed: Python writes `NaN` and `Infinity`, which JSON.parse would refuse. One pass
 * over the bytes: a regular expression took minutes for a megabyte that ends inside a string full of quotes.
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
