import type { ServerOptions as TlsServerOptions } from 'node:https';
import type { Server } from 'node:net';
import { Server as TlsServer, createSecureContext } from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import { ListenError, messageOf } from '../errors.js';
import {
  boundAddress,
  closeServer,
  isAddressMissing,
  isPortTaken,
  listenError,
  resolveAll,
  startListening,
} from './listening.js';

/** Where and how to listen. */
export interface ListenAt {
  /** An address, or a name: patroniglue listens on all addresses of a name. */
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** Absent for plain HTTP or TCP. */
  readonly tls?: TlsServerOptions;
}

/** What {@link createListeners} needs. */
export interface ListenersOptions {
  /** A server that does not listen yet. */
  readonly createServer: (tls: ListenAt['tls']) => Server;
  /** The section of the configuration that names the listen address, for messages. */
  readonly section: 'frontend' | 'agent';
  /** The addresses of a host; replaced in tests. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
  /** Called with a sentence when one of several addresses is not on this host. */
  readonly onSkipped?: (warning: string) => void;
}

/** The listening servers. */
export interface Listeners {
  /** `127.0.0.1:8009`, `[::1]:8009` */
  addresses(): readonly string[];
  /**
   * Listens at another address, or with other certificates. A server goes on listening, and keeps its connections, if its
   * address, port and scheme stay, and whether it wants certificates of clients. Any other server accepts no new
   * connections; its open connections may end by themselves.
   *
   * @param listenAt `undefined`: listens nowhere
   * @throws ListenError when it cannot listen; then nothing has changed
   */
  moveTo(listenAt: ListenAt | undefined): Promise<void>;
  /** The same in steps, for {@link moveAll}. */
  prepare(listenAt: ListenAt | undefined): Promise<Move>;
  /** Stops listening for good; a move that is under way has no effect. Resolves when the last connection is gone. */
  close(): Promise<void>;
}

/** A move to another listen address, in steps: `open`, then `commit`, or `giveUp` and `restore`. */
interface Move {
  /** The servers that the new configuration does not need. */
  readonly departures: readonly Departure[];
  /**
   * Opens the new servers. If a server of `departures` has the port that a new server needs, it is stopped first.
   *
   * @throws ListenError
   */
  open(departures: readonly Departure[]): Promise<void>;
  commit(): void;
  /** Closes the servers that `open` has opened. */
  giveUp(): void;
  /** Opens the stopped servers again, as far as possible. The next move opens the rest. */
  restore(): Promise<void>;
}

/** A server that the new configuration does not need. */
interface Departure {
  readonly port: number;
  isStopped(): boolean;
  stop(): void;
}

interface Listener {
  readonly server: Server;
  readonly address: string;
  readonly port: number;
  readonly scheme: Scheme;
  /** `127.0.0.1:8009`, `[::1]:8009` */
  readonly name: string;
}

/** What a server cannot change while it listens. */
type Scheme = 'plain' | 'TLS' | 'TLS, optional certificate' | 'TLS, required certificate';

function schemeOf(tls: ListenAt['tls']): Scheme {
  if (tls === undefined) return 'plain';
  if (tls.requestCert !== true) return 'TLS';
  return tls.rejectUnauthorized === false ? 'TLS, optional certificate' : 'TLS, required certificate';
}

/** Listens nowhere until the first `moveTo`. */
export function createListeners(options: ListenersOptions): Listeners {
  const { resolve = resolveAll, onSkipped } = options;
  let current: ListenAt | undefined;
  let listeners: readonly Listener[] = [];
  const closing = new Set<Promise<void>>();
  let isClosed = false;

  const retire = ({ server }: Listener): void => {
    const closed = closeServer(server).finally(() => closing.delete(closed));
    closing.add(closed);
  };
  const open = async (next: ListenAt, address: string, port: number): Promise<Listener> => {
    const server = options.createServer(next.tls);
    await startListening(server, address, port);
    if (isClosed) server.close();
    refuseIfClosed();
    return { server, address, scheme: schemeOf(next.tls), ...boundAddress(server) };
  };

  const refuseIfClosed = (): void => {
    if (isClosed) throw new ListenError('no longer listening: the service is stopping');
  };

  /** Finds as many errors of a change to `next` as possible while nothing has changed yet, and throws them. */
  const prepare = async (next: ListenAt | undefined): Promise<Move> => {
    refuseIfClosed();
    if (next?.tls) createSecureContext(next.tls); // throws what setSecureContext would
    const addresses = next === undefined ? [] : await addressesOf(next);
    const isSame = (address: string) => (listener: Listener) =>
      listener.address === address &&
      listener.scheme === schemeOf(next?.tls) &&
      (next?.port === 0 ? current?.port === 0 : listener.port === next?.port);
    const kept = addresses.flatMap((address) => listeners.filter(isSame(address)));
    const leaving = listeners.filter((listener) => !kept.includes(listener));
    const opened: Listener[] = [];
    const stopped: Listener[] = [];
    const stop = (listener: Listener): void => {
      retire(listener);
      stopped.push(listener);
    };

    const openAll = async (wanted: ListenAt, departures: readonly Departure[]): Promise<void> => {
      for (const address of addresses) {
        if (kept.some((listener) => listener.address === address)) continue;
        // Port 0 takes any free port for the first address. The other addresses take the same port.
        const port = wanted.port === 0 ? ([...kept, ...opened][0]?.port ?? 0) : wanted.port;
        try {
          opened.push(await open(wanted, address, port));
        } catch (cause) {
          if (isAddressMissing(cause) && addresses.length > 1) {
            onSkipped?.(`not listening on ${address}: ${messageOf(cause)}`);
            continue;
          }
          // One of our own servers may have the port: on 127.0.0.1 when 0.0.0.0 comes, with HTTP when HTTPS comes, without
          // client certificates when these are wanted, or the front end's server when agent checks get its port. It is
          // stopped first, so nobody listens there for a moment.
          const inTheWay = departures.filter((departure) => departure.port === port && !departure.isStopped());
          if (!isPortTaken(cause) || inTheWay.length === 0) throw cause;
          for (const departure of inTheWay) departure.stop();
          opened.push(await open(wanted, address, port));
        }
      }
      if (kept.length + opened.length === 0) {
        const which = `none of its addresses (${addresses.join(', ')}) is on this host`;
        throw new ListenError(
          `cannot listen on ${wanted.host}: ${which}; set ${options.section}.host to an address of this host`,
        );
      }
    };

    return {
      departures: leaving.map((listener) => ({
        port: listener.port,
        isStopped: () => stopped.includes(listener),
        stop() {
          stop(listener);
        },
      })),
      async open(departures) {
        if (next === undefined) return;
        try {
          await openAll(next, departures);
        } catch (cause) {
          throw cause instanceof ListenError ? cause : listenError(options.section, next, cause);
        }
      },
      giveUp() {
        for (const listener of opened) retire(listener);
      },
      async restore() {
        const former = current;
        if (former === undefined || isClosed) return;
        const again = await Promise.allSettled(stopped.map(({ address, port }) => open(former, address, port)));
        const back = again.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
        listeners = [...listeners.filter((listener) => !stopped.includes(listener)), ...back];
      },
      commit() {
        if (isClosed) {
          for (const listener of opened) retire(listener);
          return;
        }
        for (const { server } of kept) {
          if (next?.tls && server instanceof TlsServer && !isDeepStrictEqual(next.tls, current?.tls)) {
            server.setSecureContext(next.tls);
          }
        }
        for (const listener of leaving) if (!stopped.includes(listener)) retire(listener);
        listeners = [...kept, ...opened];
        current = next;
      },
    };
  };

  const addressesOf = async (next: ListenAt): Promise<readonly string[]> => {
    const addresses = await resolve(next.host).catch((cause: unknown) => {
      throw listenError(options.section, next, cause);
    });
    refuseIfClosed(); // a look-up may take long
    return addresses;
  };

  const self: Listeners = {
    prepare,
    moveTo: (next) => moveAll([{ listeners: self, listenAt: next }]),
    addresses: () => listeners.map(({ name }) => name),
    async close() {
      isClosed = true;
      for (const listener of listeners) retire(listener);
      await Promise.all(closing);
    },
  };
  return self;
}

/**
 * Moves all of them, or none. A port may go from one to another.
 *
 * @throws ListenError when one of them cannot listen; then nothing has changed
 */
export async function moveAll(
  targets: readonly { readonly listeners: Listeners; readonly listenAt: ListenAt | undefined }[],
): Promise<void> {
  const moves = await Promise.all(targets.map(({ listeners, listenAt }) => listeners.prepare(listenAt)));
  const departures = moves.flatMap((move) => move.departures);
  try {
    for (const move of moves) await move.open(departures);
  } catch (cause) {
    for (const move of moves) move.giveUp(); // first all of them: their ports must be free for `restore`
    for (const move of moves) await move.restore(); // errors here are dropped: the caller gets `cause`
    throw cause;
  }
  for (const move of moves) move.commit();
}
