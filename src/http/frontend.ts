import { lookup } from 'node:dns/promises';
import { type Server, type ServerOptions, type ServerResponse, createServer } from 'node:http';
import { createServer as createTlsServer, type ServerOptions as TlsServerOptions } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { ListenError } from '../errors.js';
import type { AccessEntry } from './access-log.js';
import { type Connections, type OnCrowding, boundConnections } from './connections.js';
import { announcesBody, shareFairly } from './fair-share.js';
import type { CheckRequest } from './handler.js';
import type { PageReply, Reply } from './reply.js';
import { MAX_CONNECTIONS } from './room.js';
import { createStreams } from './stream-reply.js';

/** Where and how to listen. */
export interface FrontEndOptions {
  /** A name is listened on at all of its addresses. */
  readonly host: string;
  readonly port: number;
  /** HTTPS where given. */
  readonly tls?: TlsServerOptions;
  readonly handle: (request: CheckRequest) => PageReply;
  /** Told of every reply; without it nothing is measured. */
  readonly onReply?: (entry: AccessEntry) => void;
  /** The most connections at a time. */
  readonly maxConnections?: number;
  /** Told when that bound ends connections, and when it no longer does. */
  readonly onCrowding?: OnCrowding;
  /** The addresses of `host`; replaced in tests. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
  /** Told in a sentence of an address of several that cannot be listened on. */
  readonly onSkipped?: (warning: string) => void;
}

/** A listening front end. */
export interface FrontEnd {
  /** `127.0.0.1:8009`, `[::1]:8009` */
  readonly addresses: readonly string[];
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
  const { host, port, tls, maxConnections = MAX_CONNECTIONS, resolve = resolveAll } = options;
  const { admit, onRequest } = shareFairly(createListener(options));
  const addresses = await resolve(host).catch((cause: unknown) => {
    throw new ListenError(`cannot listen on ${host}: ${messageOf(cause)}`, { cause });
  });
  const servers = addresses.map(() => (tls ? createTlsServer({ ...LIMITS, ...tls }) : createServer(LIMITS)));
  const connections = boundConnections(servers, maxConnections, options.onCrowding);
  for (const server of servers) {
    server.maxHeadersCount = 0; // as many as fit: Node would drop those after 2,000 in silence, a Content-Length too
    server.on(tls ? 'secureConnection' : 'connection', admit);
    server.on('request', onRequest);
    if (options.onReply) server.on(tls ? 'secureConnection' : 'connection', keepAddress);
    server.on('checkContinue', onRequest); // `Expect: 100-continue`: the final reply, and never "go on"
    server.on('checkExpectation', onRequest); // any other: as without; Node's 417 would then wait for a body
  }
  const listening: Server[] = [];
  for (const [index, server] of servers.entries()) {
    try {
      // Port 0 takes any free port: the first address chooses it for the others.
      const samePort = port === 0 && listening[0] ? portOf(listening[0]) : port;
      await listenAt(server, addresses[index] ?? host, samePort);
      listening.push(server);
    } catch (cause) {
      if (!isAddressMissing(cause) || addresses.length === 1) {
        await close(listening, connections, 0);
        throw listenError(host, port, cause);
      }
      options.onSkipped?.(`not listening on ${addresses[index] ?? ''}: ${messageOf(cause)}`);
    }
  }
  if (listening.length === 0) throw new ListenError(`cannot listen on ${host}: none of its addresses is on this host`);
  return {
    addresses: listening.map((server) => {
      const { address, port: at, family } = server.address() as AddressInfo;
      return family === 'IPv6' ? `[${address}]:${at}` : `${address}:${at}`;
    }),
    close: (withinMs) => close(listening, connections, withinMs),
  };
}

type Listener = Parameters<typeof shareFairly>[0];

function createListener({ handle, onReply }: FrontEndOptions): Listener {
  const sendStream = createStreams(MAX_STREAMS);
  return (req, res) => {
    const startedMs = onReply ? performance.now() : 0;
    const { method = '', httpVersion, url: target = '' } = req;
    const report = (status: number): void => {
      onReply?.({
        address: req.socket.remoteAddress ?? '-',
        method,
        target,
        status,
        tookUs: (performance.now() - startedMs) * 1000,
      });
    };
    const reply = handle({ method, httpVersion, target, hasBody: announcesBody(req) });
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

async function resolveAll(host: string): Promise<string[]> {
  const found = await lookup(host, { all: true });
  return [...new Set(found.map(({ address }) => address))];
}

function listenAt(server: Server, address: string, port: number): Promise<void> {
  return new Promise((done, failed) => {
    server.once('error', failed);
    server.listen(port, address, () => {
      server.off('error', failed);
      done();
    });
  });
}

async function close(servers: readonly Server[], connections: Connections, withinMs: number): Promise<void> {
  const closed = servers.map((server) => new Promise((done) => server.close(done)));
  for (const server of servers) server.closeIdleConnections();
  const timer = setTimeout(() => {
    connections.destroyAll();
  }, withinMs);
  await Promise.all(closed);
  clearTimeout(timer);
}

/** The name has an address that this host does not: `::1` of `localhost` where IPv6 is off. */
function isAddressMissing(cause: unknown): boolean {
  return ['EADDRNOTAVAIL', 'EAFNOSUPPORT'].includes((cause as NodeJS.ErrnoException).code ?? '');
}

function listenError(host: string, port: number, cause: unknown): ListenError {
  const { code } = cause as NodeJS.ErrnoException;
  const hint =
    code === 'EADDRINUSE'
      ? 'the port is taken: stop the other program, or set frontend.port'
      : code === 'EACCES'
        ? 'no right to listen on this port: take one from 1024 up, or grant CAP_NET_BIND_SERVICE'
        : messageOf(cause);
  return new ListenError(`cannot listen on ${host} port ${port}: ${hint}`, { cause });
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
