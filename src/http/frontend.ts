import { type Server, type ServerOptions, type ServerResponse, createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { AccessEntry } from './access-log.js';
import type { AccessGate } from '../sockets/access-gate.js';
import { type Connections, limitConnections, closeWithin } from '../sockets/open-connections.js';
import { type Listeners, type ListenersOptions, type ListenAt, createListeners } from '../sockets/listeners.js';
import { type ProxyGateOptions, createProxyGate } from '../sockets/proxy-gate.js';
import { MAX_CONNECTIONS } from '../sockets/open-files.js';
import { type OnBroken, reportBrokenConnections } from './broken-connection.js';
import { announcesBody, createFairShare } from './fair-share.js';
import { createStreams } from './stream-reply.js';
import type { CheckRequest, PageReply, Reply } from './types.js';

/** The listen address, and how to answer. */
export interface FrontEndOptions extends ListenAt, Pick<ListenersOptions, 'resolve' | 'onSkipped'> {
  readonly handle: (request: CheckRequest) => PageReply;
  /** Called after every reply. If absent, the time of replies is not measured. */
  readonly onReply?: (entry: AccessEntry) => void;
  /** Whether connections must begin with a PROXY header: asked for each connection. If absent, no header is read. */
  readonly proxyProtocol?: ProxyGateOptions;
  /** Who may connect. If absent, every client may. */
  readonly access?: AccessGate;
  /** Called for connections that end before they are a request. */
  readonly onBroken?: OnBroken;
  /** The limit of connections, which may be shared with others. If absent, the front end has a limit of its own. */
  readonly connections?: Connections;
}

/** A listening front end. */
export interface FrontEnd {
  /** `127.0.0.1:8009`, `[::1]:8009` */
  readonly addresses: readonly string[];
  /** To listen at another address, or with other certificates. */
  readonly listeners: Listeners;
  /** Stops listening, lets replies that are under way go out, and ends every connection within `withinMs`. */
  close(withinMs: number): Promise<void>;
}

/** A health check sends its few hundred bytes at once. A slower client is disconnected after a few seconds. */
const LIMITS: ServerOptions = {
  maxHeaderSize: 8192,
  headersTimeout: 5000,
  requestTimeout: 5000,
  keepAliveTimeout: 5000,
  connectionsCheckingInterval: 1000, // how often Node checks the first two; its default is 30 s
  requireHostHeader: false, // HAProxy's `http-check send ver HTTP/1.1` has none, and Node would answer 400
};

/** The most streams at a time: the events of status pages, for a few people. */
const MAX_STREAMS = 16;

/**
 * Listens, and answers each request at once with the reply of `handle`.
 *
 * @throws ListenError when no address is on this host, or a port is taken or forbidden
 */
export async function listen(options: FrontEndOptions): Promise<FrontEnd> {
  const { connections = limitConnections(MAX_CONNECTIONS), resolve, onSkipped, onBroken = () => undefined } = options;
  const gate = options.proxyProtocol && createProxyGate(options.proxyProtocol, options.access);
  const { onConnection, onRequest } = createFairShare(createListener(options, (socket) => gate?.clientOf(socket)));
  const createServerFor = (tls: ListenAt['tls']): Server => {
    const server = tls ? createTlsServer({ ...LIMITS, ...tls }) : createServer(LIMITS);
    gate?.readHeadersOf(server);
    connections.watch(server);
    reportBrokenConnections(server, onBroken, (socket) => gate?.clientOf(socket));
    server.maxHeadersCount = 0; // no limit: Node would silently drop headers after 2,000, a Content-Length as well
    server.on(tls ? 'secureConnection' : 'connection', onConnection);
    server.on('request', onRequest);
    if (options.onReply) server.on(tls ? 'secureConnection' : 'connection', keepAddress);
    server.on('checkContinue', onRequest); // `Expect: 100-continue`: the final reply at once, never a 100
    server.on('checkExpectation', onRequest); // any other `Expect` is ignored; after Node's 417, Node would wait for a body
    options.access?.guard(server); // last: the other listeners see no connection that it ends
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

type Listener = Parameters<typeof createFairShare>[0];

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
    const reply = handle({
      method,
      httpVersion,
      target,
      hasBody,
      connection: req.socket,
      proxyClient: clientOf(req.socket),
    });
    if (reply instanceof Promise) {
      void reply.then(
        (made) => {
          send(method, res, made);
          report(made.status);
        },
        () => res.destroy(), // a page that cannot be made is a bug: the client gets no details
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

/**
 * Makes Node ask the kernel for the client's address, and keep it. After a reset the kernel no longer knows the address, and
 * HAProxy resets each connection as soon as it has the status line.
 */
function keepAddress(socket: Socket): void {
  Reflect.get(socket, 'remoteAddress');
}
