import { type Server, type ServerOptions, type ServerResponse, createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { AccessEntry } from './access-log.js';
import { type Connections, limitConnections, closeWithin } from '../sockets/connection-bound.js';
import { type Listeners, type ListenersOptions, type ListenAt, createListeners } from '../sockets/listeners.js';
import { type ProxyGateOptions, createProxyGate } from '../sockets/proxy-gate.js';
import { MAX_CONNECTIONS } from '../sockets/open-files.js';
import { type OnBroken, tellBroken } from './broken-connection.js';
import { announcesBody, shareFairly } from './fair-share.js';
import { createStreams } from './stream-reply.js';
import type { CheckRequest, PageReply, Reply } from './types.js';

/** Where and how to listen, and what to answer. */
export interface FrontEndOptions extends ListenAt, Pick<ListenersOptions, 'resolve' | 'onSkipped'> {
  readonly handle: (request: CheckRequest) => PageReply;
  /** Told of every reply; without it nothing is measured. */
  readonly onReply?: (entry: AccessEntry) => void;
  /** Connections begin with a PROXY header while this says so; read at each. */
  readonly proxyProtocol?: ProxyGateOptions;
  /** Told of connections that end before they are a request. */
  readonly onBroken?: OnBroken;
  /** By which its connections are bound; a bound of its own where absent. */
  readonly connections?: Connections;
}

/** A listening front end. */
export interface FrontEnd {
  /** `127.0.0.1:8009`, `[::1]:8009` */
  readonly addresses: readonly string[];
  /** By which it listens elsewhere, or with other certificates. */
  readonly listeners: Listeners;
  /** Stops listening, lets replies that are under way go out, and ends every connection within `withinMs`. */
  close(withinMs: number): Promise<void>;
}

/** A health check sends its few hundred bytes at once. Whoever does not is gone after a few seconds. */
const LIMITS: ServerOptions = {
  maxHeaderSize: 8192,
  headersTimeout: 5000,
  requestTimeout: 5000,
  keepAliveTimeout: 5000,
  connectionsCheckingInterval: 1000, // how often the first two are looked at: 30 s unless told
  requireHostHeader: false, // HAProxy's `http-check send ver HTTP/1.1` has none, and Node would answer 400
};

/** Replies that go on, such as a status page's events: for a few people. */
const MAX_STREAMS = 16;

/**
 * Listens, and answers each request with what `handle` says, at once.
 *
 * @throws ListenError when no address can be listened on, or one is taken or forbidden
 */
export async function listen(options: FrontEndOptions): Promise<FrontEnd> {
  const { connections = limitConnections(MAX_CONNECTIONS), resolve, onSkipped, onBroken = () => undefined } = options;
  const gate = options.proxyProtocol && createProxyGate(options.proxyProtocol);
  const { admit, onRequest } = shareFairly(createListener(options, (socket) => gate?.clientOf(socket)));
  const createServerFor = (tls: ListenAt['tls']): Server => {
    const server = tls ? createTlsServer({ ...LIMITS, ...tls }) : createServer(LIMITS);
    gate?.readHeadersOf(server);
    connections.watch(server);
    tellBroken(server, onBroken, (socket) => gate?.clientOf(socket));
    server.maxHeadersCount = 0; // as many as fit: Node would drop those after 2,000 in silence, a Content-Length too
    server.on(tls ? 'secureConnection' : 'connection', admit);
    server.on('request', onRequest);
    if (options.onReply) server.on(tls ? 'secureConnection' : 'connection', keepAddress);
    server.on('checkContinue', onRequest); // `Expect: 100-continue`: the final reply, and never "go on"
    server.on('checkExpectation', onRequest); // any other: as without; Node's 417 would then wait for a body
    return server;
  };
  const listeners = createListeners({
    createServer: createServerFor,
    section: 'frontend',
    ...(resolve && { resolve }),
    ...(onSkipped && { onSkipped }),
  });
  await listeners.moveTo(options);
  return {
    get addresses() {
      return listeners.addresses();
    },
    listeners,
    close: (withinMs) => closeWithin(withinMs, listeners, connections),
  };
}

type Listener = Parameters<typeof shareFairly>[0];

function createListener(
  { handle, onReply }: FrontEndOptions,
  clientOf: (socket: Socket) => string | undefined,
): Listener {
  const sendStream = createStreams(MAX_STREAMS);
  return (req, res) => {
    const startedMs = onReply ? performance.now() : 0;
    const { method = '', httpVersion, url: target = '' } = req;
    const report = (status: number): void => {
      onReply?.({
        address: clientOf(req.socket) ?? req.socket.remoteAddress ?? '-',
        method,
        target,
        status,
        tookUs: (performance.now() - startedMs) * 1000,
      });
    };
    const hasBody = announcesBody(req);
    const reply = handle({ method, httpVersion, target, hasBody, connection: req.socket, named: clientOf(req.socket) });
    if (reply instanceof Promise) {
      void reply.then(
        (made) => {
          send(method, res, made);
          report(made.status);
        },
        () => res.destroy(), // a page that cannot be made is a bug; to others it is none of their business
      );
      return undefined;
    }
    if ('body$' in reply && method === 'GET') {
      sendStream(res, reply);
      report(reply.status);
      return 'lasting';
    }
    send(method, res, 'body$' in reply ? { ...reply, body: '' } : reply);
    report(reply.status);
    return undefined;
  };
}

function send(method: string, res: ServerResponse, { status, headers, body }: Reply): void {
  const bodyIsSent = method !== 'OPTIONS';
  res.writeHead(status, bodyIsSent ? headers : { ...headers, 'Content-Length': 0 });
  if (bodyIsSent)
    res.end(body, 'latin1'); // Node itself sends none for HEAD
  else res.end();
}

/** Node asks the kernel once and keeps the answer; after a reset, which HAProxy sends with the status line, there is none. */
function keepAddress(socket: Socket): void {
  Reflect.get(socket, 'remoteAddress');
}
