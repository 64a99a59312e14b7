import { lookup } from 'node:dns/promises';
import type { Server as HttpServer } from 'node:http';
import type { ServerOptions as TlsServerOptions } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { Server as TlsServer, createSecureContext } from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import { ListenError } from '../errors.js';

/** Where and how to listen. */
export interface Place {
  /** A name is listened on at all of its addresses. */
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** TLS where given. */
  readonly tls?: TlsServerOptions;
}

/** What listening needs from outside. */
export interface ListenersOptions {
  /** A server that does not listen yet. */
  readonly createServer: (tls: Place['tls']) => Server;
  /** The section of the configuration that says where, for messages. */
  readonly section: 'frontend' | 'agent';
  /** The addresses of a host; replaced in tests. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
  /** Told in a sentence of an address of several that cannot be listened on. */
  readonly onSkipped?: (warning: string) => void;
}

/** The listening servers. */
export interface Listeners {
  /** `127.0.0.1:8009`, `[::1]:8009` */
  addresses(): readonly string[];
  /**
   * Listens at another place, or with other certificates. A server whose address, port and scheme stay goes on listening, and
   * its connections live on. Those that are given up take no new connections; what is open there may end by itself.
   *
   * @param place nowhere where absent
   * @throws ListenError when it cannot; then everything is as it was
   */
  moveTo(place: Place | undefined): Promise<void>;
  /** Stops listening; resolves when the last connection is gone. */
  close(): Promise<void>;
}

interface Listener {
  readonly server: Server;
  readonly address: string;
  readonly port: number;
  readonly isTls: boolean;
  /** `127.0.0.1:8009`, `[::1]:8009` */
  readonly name: string;
}

/** As many as the kernel lets wait (`net.core.somaxconn`): whoever finds no place tries again a second later. Node's own is 511. */
const BACKLOG = 4096;

/** Listens nowhere until it is told where. */
export function createListeners(options: ListenersOptions): Listeners {
  const { resolve = resolveAll, onSkipped } = options;
  let place: Place | undefined;
  let listeners: readonly Listener[] = [];
  const closing = new Set<Promise<void>>();

  const retire = ({ server }: Listener): void => {
    const closed = closeServer(server).finally(() => closing.delete(closed));
    closing.add(closed);
  };
  const open = async (next: Place, address: string, port: number): Promise<Listener> => {
    const server = options.createServer(next.tls);
    await listenAt(server, address, port);
    return { server, address, isTls: next.tls !== undefined, ...whereabouts(server) };
  };

  const moveTo = async (next: Place | undefined): Promise<void> => {
    if (next === undefined) {
      for (const listener of listeners) retire(listener);
      listeners = [];
      place = undefined;
      return;
    }
    const { host, port, tls } = next;
    if (tls) createSecureContext(tls); // throws what setSecureContext would, while nothing has changed
    const addresses = await resolve(host).catch((cause: unknown) => {
      throw new ListenError(`cannot listen on ${host}: ${messageOf(cause)}`, { cause });
    });
    const isSame = (address: string) => (listener: Listener) =>
      listener.address === address &&
      listener.isTls === (tls !== undefined) &&
      (port === 0 ? place?.port === 0 : listener.port === port);
    const kept = addresses.flatMap((address) => listeners.filter(isSame(address)));
    const leaving = listeners.filter((listener) => !kept.includes(listener));
    const opened: Listener[] = [];
    const stopped: Listener[] = [];
    try {
      for (const address of addresses) {
        if (kept.some((listener) => listener.address === address)) continue;
        // Port 0 takes any free port: the first address chooses it for the others.
        const at = port === 0 ? ([...kept, ...opened][0]?.port ?? 0) : port;
        try {
          opened.push(await open(next, address, at));
        } catch (cause) {
          if (isAddressMissing(cause) && addresses.length > 1) {
            onSkipped?.(`not listening on ${address}: ${messageOf(cause)}`);
            continue;
          }
          // It may be one of ours that has the port: 127.0.0.1 before 0.0.0.0, or HTTP before HTTPS. A moment without it.
          const inTheWay = leaving.filter((listener) => listener.port === at && !stopped.includes(listener));
          if (!isTaken(cause) || inTheWay.length === 0) throw cause;
          for (const listener of inTheWay) retire(listener);
          stopped.push(...inTheWay);
          opened.push(await open(next, address, at));
        }
      }
      if (kept.length + opened.length === 0) {
        throw new ListenError(`cannot listen on ${host}: none of its addresses is on this host`);
      }
    } catch (cause) {
      for (const listener of opened) retire(listener);
      if (place) {
        const former = place;
        const again = await Promise.all(stopped.map(({ address, port: at }) => open(former, address, at)));
        listeners = [...listeners.filter((listener) => !stopped.includes(listener)), ...again];
      }
      throw cause instanceof ListenError ? cause : listenError(options.section, next, cause);
    }
    for (const { server } of kept) {
      if (tls && server instanceof TlsServer && !isDeepStrictEqual(tls, place?.tls)) server.setSecureContext(tls);
    }
    for (const listener of leaving) if (!stopped.includes(listener)) retire(listener);
    listeners = [...kept, ...opened];
    place = next;
  };

  return {
    moveTo,
    addresses: () => listeners.map(({ name }) => name),
    async close() {
      for (const listener of listeners) retire(listener);
      await Promise.all(closing);
    },
  };
}

async function resolveAll(host: string): Promise<string[]> {
  const found = await lookup(host, { all: true });
  return [...new Set(found.map(({ address }) => address))];
}

function listenAt(server: Server, address: string, port: number): Promise<void> {
  return new Promise((done, failed) => {
    server.once('error', failed);
    server.listen({ port, host: address, backlog: BACKLOG }, () => {
      server.off('error', failed);
      done();
    });
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((done) => {
    server.close(() => {
      done();
    });
    (server as Server & Partial<Pick<HttpServer, 'closeIdleConnections'>>).closeIdleConnections?.();
  });
}

/** The name has an address that this host does not: `::1` of `localhost` where IPv6 is off. */
function isAddressMissing(cause: unknown): boolean {
  return ['EADDRNOTAVAIL', 'EAFNOSUPPORT'].includes((cause as NodeJS.ErrnoException).code ?? '');
}

function isTaken(cause: unknown): boolean {
  return (cause as NodeJS.ErrnoException).code === 'EADDRINUSE';
}

function listenError(section: string, { host, port }: Place, cause: unknown): ListenError {
  const { code } = cause as NodeJS.ErrnoException;
  const hint =
    code === 'EADDRINUSE'
      ? `the port is taken: stop the other program, or set ${section}.port`
      : code === 'EACCES'
        ? 'no right to listen on this port: take one from 1024 up, or grant CAP_NET_BIND_SERVICE'
        : messageOf(cause);
  return new ListenError(`cannot listen on ${host} port ${port}: ${hint}`, { cause });
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

function whereabouts(server: Server): Pick<Listener, 'port' | 'name'> {
  const { address, port, family } = server.address() as AddressInfo;
  return { port, name: family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}` };
}
