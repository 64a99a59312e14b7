import { once } from 'node:events';
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net';
import { type TlsOptions, createServer as createTlsServer } from 'node:tls';
import { closeAtTheEnd } from '../processes/leftovers.js';
import { nowMs } from '../time/monotonic.js';

/** What the upstream does with a connection once the request's headers are there. */
export type Behaviour = (socket: Socket, requestHead: string) => void;

/** A scripted Patroni: raw sockets, so that it can do what no HTTP server would. */
export interface Upstream {
  readonly port: number;
  /** The request heads that came, in order. */
  readonly requests: readonly string[];
  /** Connections that are open now, the most that ever were, and the most that ever were for one route. */
  readonly connections: { readonly open: number; readonly most: number; readonly mostOfRoute: number };
  /** From the next request on. Replaces what `behave` said before. */
  behave(behaviour: Behaviour): void;
  /** Ends what is open, as the end of a worker does that held it. Goes on listening. */
  cut(): void;
  /** Settles when no connection is open. */
  idle(): Promise<void>;
  /** Stops listening and cuts what is open; the port can be taken again by {@link startUpstream}. */
  close(): Promise<void>;
}

/** How to start a scripted upstream. */
export interface UpstreamOptions {
  readonly host?: string;
  readonly port?: number;
  readonly tls?: TlsOptions;
  /** Called as soon as a connection is accepted, before any byte: for peers that never get as far as HTTP. */
  readonly onConnection?: Behaviour;
}

/** Starts a scripted upstream on loopback; without more said it answers 200 as Patroni's primary does. */
export async function startUpstream(options: UpstreamOptions = {}): Promise<Upstream> {
  const { host = '127.0.0.1', port = 0, tls, onConnection } = options;
  const requests: string[] = [];
  const open = new Set<Socket>();
  const routes = new Map<Socket, string | undefined>();
  let most = 0;
  let mostOfRoute = 0;
  let behaviour: Behaviour = answering(200);
  const serve = (socket: Socket): void => {
    let head = '';
    socket.on('error', () => undefined);
    if (onConnection) {
      socket.resume(); // or the client's end goes unnoticed
      onConnection(socket, '');
      return;
    }
    socket.on('data', (chunk: Buffer) => {
      if (head.includes('\r\n\r\n')) return;
      head += chunk.toString('latin1');
      if (!head.includes('\r\n\r\n')) return;
      requests.push(head);
      const route = routeOf(head);
      const ofRoute = [...routes.keys()].filter((other) => routes.get(other) === route);
      countWith(ofRoute, (connections) => (mostOfRoute = Math.max(mostOfRoute, connections)));
      routes.set(socket, route);
      socket.once('close', () => routes.delete(socket));
      behaviour(socket, head);
    });
  };
  const server: Server = tls ? createTlsServer(tls, serve) : createServer(serve);
  server.on('connection', (socket: Socket) => {
    countWith([...open], (connections) => (most = Math.max(most, connections)));
    open.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => open.delete(socket));
  });
  server.listen(port, host);
  await once(server, 'listening');
  const upstream: Upstream = {
    port: (server.address() as AddressInfo).port,
    requests,
    get connections() {
      return { open: open.size, most, mostOfRoute };
    },
    behave(next) {
      behaviour = next;
    },
    cut() {
      for (const socket of open) socket.destroy();
    },
    async idle() {
      await Promise.all([...open].map((socket) => new Promise((done) => socket.once('close', done))));
    },
    async close() {
      forget();
      if (!server.listening) return; // closed before
      const closed = once(server, 'close');
      server.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
  const forget = closeAtTheEnd(() => upstream.close());
  return upstream;
}

/**
 * Counts what is open beside a connection that begins. Not at once: connections that ended while they waited to be
 * accepted are accepted one a turn of the event loop, and the end of each is read two turns after that.
 */
function countWith(beside: readonly Socket[], counted: (connections: number) => void, turns = 3): void {
  if (turns === 0) counted(1 + beside.filter(isLive).length);
  else setImmediate(countWith, beside, counted, turns - 1);
}

function isLive({ readableEnded, destroyed }: Socket): boolean {
  return !readableEnded && !destroyed;
}

/** What a request asks for. */
export function routeOf(requestHead: string): string | undefined {
  return requestHead.split(' ')[1];
}

/** The body that Patroni's primary gives, shortened. */
export const PRIMARY_BODY =
  '{"state": "running", "role": "primary", "server_version": 150000, "patroni": {"scope": "main"}}';

/** A whole answer, as Python's server writes it: HTTP/1.0, no length, ended by closing the connection. */
export function answering(status: number, body = PRIMARY_BODY, contentType = 'application/json'): Behaviour {
  return (socket) => socket.end(`HTTP/1.0 ${status} Some Reason\r\nContent-Type: ${contentType}\r\n\r\n${body}`);
}

/** Patroni's answer on a primary, with the moment at which its request was whole: `askedMs` of test/support/clients/checks.ts. */
export const dated: Behaviour = (socket, head) => {
  answering(200, JSON.stringify({ state: 'running', role: 'primary', patroni: { scope: 'main' }, askedMs: nowMs() }))(
    socket,
    head,
  );
};

/** Nothing, for ever. */
export const silent: Behaviour = () => undefined;

/** These bytes, and then silence. */
export function stalling(bytes: string): Behaviour {
  return (socket) => socket.write(bytes);
}

/** These bytes, then a clean end. */
export function ending(bytes: string): Behaviour {
  return (socket) => socket.end(bytes);
}

/** These bytes, then a reset. */
export function resetting(bytes = ''): Behaviour {
  return (socket) => socket.write(bytes, () => socket.resetAndDestroy());
}

/** Headers, and then a byte every `everyMs` until the connection is gone. */
export function dripping(everyMs: number): Behaviour {
  return (socket) => {
    socket.write('HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n');
    const timer = setInterval(() => socket.write('x'), everyMs);
    socket.once('close', () => {
      clearInterval(timer);
    });
  };
}

/** These bytes one by one, one every `everyMs`, the first at once; then a clean end. */
export function trickling(bytes: string, everyMs: number): Behaviour {
  return (socket) => {
    let sent = 0;
    const send = (): void => {
      if (sent === bytes.length) clearInterval(timer);
      if (sent === bytes.length) socket.end();
      else socket.write(bytes.charAt(sent));
      sent += 1;
    };
    const timer = setInterval(send, everyMs);
    socket.once('close', () => {
      clearInterval(timer);
    });
    send();
  };
}

/** The same, so much later. */
export function delayed(delayMs: number, behaviour: Behaviour): Behaviour {
  return (socket, head) => {
    const timer = setTimeout(() => {
      behaviour(socket, head);
    }, delayMs);
    socket.once('close', () => {
      clearTimeout(timer);
    });
  };
}

/** A head, and then the same bytes again and again, as fast as they are read. */
export function flooding(head: string, bytes: string): Behaviour {
  return (socket) => {
    const block = bytes.repeat(1000);
    const flood = (): void => {
      while (!socket.destroyed && socket.write(block)) continue;
      if (!socket.destroyed) socket.once('drain', flood);
    };
    socket.write(head);
    flood();
  };
}

/** A body of so many bytes, written as fast as it is read. */
export function pouring(bytes: number): Behaviour {
  return (socket) => {
    const block = Buffer.alloc(65_536, 'x');
    let left = bytes;
    const pour = (): void => {
      while (left > 0) {
        left -= block.length;
        if (!socket.write(block)) {
          socket.once('drain', pour);
          return;
        }
      }
      socket.end();
    };
    socket.write('HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n');
    pour();
  };
}
