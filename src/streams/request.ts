import { validateHeaderValue } from 'node:http';
import { isIPv6, type LookupFunction } from 'node:net';
import axios, { type AxiosInstance, type AxiosResponse } from 'axios';
import { Observable } from 'rxjs';
import type { CanonicalRoute } from '../routes.js';
import type { Answer } from '../snapshot.js';
import { MalformedAnswerError } from './failure.js';
import { createSharedLookup } from './lookup.js';
import { createUpstreamAgent } from './upstream-agent.js';

/** Patroni's REST API, as it is reached. Durations in milliseconds. */
export interface Upstream {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  readonly connectMs: number;
  readonly tls: Parameters<typeof createUpstreamAgent>[0]['tls'];
  /** Look-up of `host`; replaced in tests. */
  readonly lookup?: LookupFunction;
}

/** An answer's body may have so many bytes; a larger one is a failed poll. Patroni's own are some kilobytes. */
export const MAX_BODY_BYTES = 1024 * 1024;

/**
 * Requests to the upstream: a cold observable for a route. Each subscription asks once on a connection of its own,
 * emits the answer when its last byte is there and completes, or errors; unsubscription destroys the socket.
 */
export function createRequest(upstream: Upstream): (route: CanonicalRoute) => Observable<Answer> {
  const client = createClient(upstream);
  return (route) =>
    new Observable<Answer>((subscriber) => {
      const abort = new AbortController();
      client.get<Buffer>(route, { signal: abort.signal }).then(
        (response) => {
          try {
            subscriber.next(toAnswer(response));
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
        abort.abort();
      };
    });
}

/** axios, made predictable. There is no `timeout`: it does not end a body that drips, and the poll's deadline does. */
function createClient({ scheme, host, port, connectMs, tls, lookup = createSharedLookup() }: Upstream): AxiosInstance {
  const agent = createUpstreamAgent({ scheme, host, lookup, connectMs, tls });
  return axios.create({
    adapter: 'http',
    baseURL: `${scheme}://${isIPv6(host) ? `[${host}]` : host}:${port}`,
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

/** @throws MalformedAnswerError where the response is complete as HTTP, but cannot be passed on */
function toAnswer({ status, headers, data }: AxiosResponse<Buffer>): Answer {
  if (status < 200 || status > 599) throw new MalformedAnswerError(`status ${status}`);
  const contentType: unknown = headers['content-type'];
  const lengthKnown = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
  if (typeof contentType !== 'string') return { status, body: data };
  try {
    validateHeaderValue('Content-Type', contentType);
  } catch (cause) {
    throw new MalformedAnswerError('a Content-Type that cannot be repeated', { cause });
  }
  if (!lengthKnown && contentType.startsWith('application/json') && isCutOffJson(data.toString())) {
    throw new MalformedAnswerError('JSON that ends in the middle', { reason: 'cut-off' });
  }
  return { status, contentType, body: data };
}

/**
 * Patroni gives no `Content-Length` (`write_response` in `patroni/api.py`): its answers end where the connection does
 * (RFC 9112, section 6.3), so a process that dies in the middle leaves one that is complete as HTTP. Its JSON tells.
 * Brackets are counted, not values parsed: Python writes `NaN` and `Infinity`, which JSON.parse would refuse.
 */
function isCutOffJson(text: string): boolean {
  const outsideStrings = text.replace(/"(?:[^"\\]|\\.)*"/gs, '');
  const opened = outsideStrings.match(/[[{]/g)?.length ?? 0;
  const closed = outsideStrings.match(/[\]}]/g)?.length ?? 0;
  return text.trim() === '' || outsideStrings.includes('"') || opened !== closed;
}
