import http, { type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import https from 'node:https';
import type { AxiosPromise, AxiosRequestConfig, AxiosResponse } from 'axios';
import { Observable } from 'rxjs';
import { authority, withoutZone } from '../network/authority.js';
import { AxiosHeaders, axios } from './axios.js';
import { type Address, fixedLookup } from './addresses.js';
import { type UpstreamAgentOptions, createUpstreamAgent } from './connection.js';
import { withCode } from './coded-error.js';

/** Where an HTTP server listens, and how connections to it are made. */
export interface HttpClientOptions extends Omit<UpstreamAgentOptions, 'maxBytes'> {
  readonly port: number;
}

/** One request. */
type HttpRequest = {
  /** Path and query, sent as they are. */
  readonly path: string;
  /** The addresses to try, one after another. They replace the look-up of the host. */
  readonly addresses: Address[];
  readonly headers?: Readonly<Record<string, string>>;
} & (
  | { readonly method: 'GET' }
  /** `body` is sent as `application/json`. */
  | { readonly method: 'POST'; readonly body: string }
);

/** A complete HTTP response, whatever its status. */
export interface HttpResponse extends Pick<AxiosResponse<Buffer>, 'status' | 'headers'> {
  /** Byte for byte. */
  readonly body: Buffer;
  /** The address that has answered. */
  readonly address: string | undefined;
}

/**
 * A cold observable for a request. Each subscription asks once, on a new connection. It emits the complete response and
 * completes, or it errors. It has no deadline besides the time to connect: the subscriber adds one. Unsubscription destroys
 * the socket.
 */
export type HttpClient = (request: HttpRequest) => Observable<HttpResponse>;

/** The most bytes of a response's body. The bodies of Patroni and of etcd have a few kilobytes. */
export const MAX_BODY_BYTES = 1024 * 1024;

/** The most bytes besides the body: status line, headers, chunk sizes. */
const MAX_FRAMING_BYTES = 65_536;

/**
 * The most parts of a response's body. A part is a chunk, or the share of a chunk that one read brought. Each part costs a
 * microsecond and some hundred bytes, whatever its size: without this limit, a megabyte of one-byte chunks blocked the event
 * loop for 0.1 s at a time, and left 70 MB of garbage for each poll.
 */
export const MAX_PARTS = 4096;

/**
 * The most 1xx responses before the response. A client must be able to read one or more (RFC 9110, section 15.2), but neither
 * Patroni nor etcd sends any. Each costs several microseconds, and one read can bring thousands.
 */
export const MAX_INTERIM = 16;

/** The headers of each request. */
const HEADERS = { Accept: '*/*', 'Accept-Encoding': 'identity', 'User-Agent': 'patroniglue' };

/** The reason of an abort. Without a reason, Node would make an error with a stack for each poll. */
const UNSUBSCRIBED = 'unsubscribed';

/** Requests to one HTTP server: bounded, without redirects, and without a proxy of the environment. */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  const send = createSend(options);
  const { scheme } = options;
  return (request) =>
    new Observable((subscriber) => {
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
      send({ ...configOf(request), signal: abort.signal, transport }).then(
        ({ status, headers, data }) => {
          subscriber.next({ status, headers, body: data, address });
          subscriber.complete();
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

/** What axios' adapter needs to know of a request, besides what is the same for all. */
function configOf(request: HttpRequest): AxiosRequestConfig & { readonly headers: AxiosHeaders } {
  const { method, path, addresses } = request;
  const headers = AxiosHeaders.from({ ...HEADERS, ...request.headers });
  const common = { method, url: path, headers, lookup: fixedLookup(addresses) };
  if (request.method === 'GET') return common;
  headers.setContentType('application/json');
  return { ...common, data: request.body };
}

/**
 * axios, made predictable. Without its `timeout`, which does not end a slow body: the subscriber's deadline does. This calls
 * axios' adapter for Node itself: to merge configurations and headers anew for each request took a tenth of the CPU time of
 * an idle service.
 */
function createSend({
  scheme,
  host,
  port,
  ...options
}: HttpClientOptions): (config: ReturnType<typeof configOf>) => AxiosPromise<Buffer> {
  const agent = createUpstreamAgent({ ...options, host, scheme, maxBytes: MAX_BODY_BYTES + MAX_FRAMING_BYTES });
  const common = axios.mergeConfig(axios.defaults as AxiosRequestConfig, {
    baseURL: `${scheme}://${authority(withoutZone(host), port)}`,
    httpAgent: agent,
    httpsAgent: agent,
    proxy: false, // HTTP_PROXY and similar variables must not redirect requests
    maxRedirects: 0, // a redirect is a response
    validateStatus: null, // every status is a response
    responseType: 'arraybuffer',
    decompress: false,
    maxContentLength: MAX_BODY_BYTES,
  });
  const adapter = axios.getAdapter('http');
  return (config) => adapter({ ...common, ...config });
}

/** Node's own HTTP client, with a limit of parts and 1xx responses. `onTooMany` is called when one is exceeded. */
function boundedTransport(
  scheme: HttpClientOptions['scheme'],
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
