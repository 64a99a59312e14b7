import type { ServerOptions as TlsServerOptions } from 'node:https';
import type { Server } from 'node:net';
import { Server as TlsServer, createSecureContext } from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import { ListenError } from '../errors.js';
import {
  closeServer,
  isAddressMissing,
  isTaken,
  listenAt,
  listenError,
  messageOf,
  resolveAll,
  whereabouts,
} from './listening.js';

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
  /** The same in steps, for {@link moveAll}. */
  prepare(place: Place | undefined): Promise<Move>;
  /** Stops listening, for good: a move that is under way ends in nothing. Resolves when the last connection is gone. */
  close(): Promise<void>;
}

/** A move to another place, in steps: `open`, then `commit`, or `giveUp` and `restore`. */
interface Move {
  /** The servers that will not be needed. */
  readonly departures: readonly Departure[];
  /**
   * Opens what is new. A server of `departures` that is in the way of it is stopped.
   *
   * @throws ListenError
   */
  open(departures: readonly Departure[]): Promise<void>;
  commit(): void;
  /** Closes what was opened. */
  giveUp(): void;
  /** Opens again what was stopped, as far as it can: the next move opens the rest. */
  restore(): Promise<void>;
}

/** A server that will not be needed any more. */
interface Departure {
  readonly port: number;
  isStopped(): boolean;
  stop(): void;
}

interface Listener {
  readonly server: Server;
  readonly address: string;
  readonly port: number;
  readonly isTls: boolean;
  /** `127.0.0.1:8009`, `[::1]:8009` */
  readonly name: string;
}

/** Listens nowhere until it is told where. */
export function createListeners(options: ListenersOptions): Listeners {
  const { resolve = resolveAll, onSkipped } = options;
  let place: Place | undefined;
  let listeners: readonly Listener[] = [];
  const closing = new Set<Promise<void>>();
  let isClosed = false;

  const retire = ({ server }: Listener): void => {
    const closed = closeServer(server).finally(() => closing.delete(closed));
    closing.add(closed);
  };
  const open = async (next: Place, address: string, port: number): Promise<Listener> => {
    const server = options.createServer(next.tls);
    await listenAt(server, address, port);
    if (isClosed) server.close();
    refuseIfClosed();
    return { server, address, isTls: next.tls !== undefined, ...whereabouts(server) };
  };

  const refuseIfClosed = (): void => {
    if (isClosed) throw new ListenError('no longer listening: the service is stopping');
  };

  /** Throws what a change to `next` would, as far as it can be known while nothing has changed. */
  const prepare = async (next: Place | undefined): Promise<Move> => {
    refuseIfClosed();
    if (next?.tls) createSecureContext(next.tls); // throws what setSecureContext would
    const addresses = next === undefined ? [] : await addressesOf(next);
    const isSame = (address: string) => (listener: Listener) =>
      listener.address === address &&
      listener.isTls === (next?.tls !== undefined) &&
      (next?.port === 0 ? place?.port === 0 : listener.port === next?.port);
    const kept = addresses.flatMap((address) => listeners.filter(isSame(address)));
    const leaving = listeners.filter((listener) => !kept.includes(listener));
    const opened: Listener[] = [];
    const stopped: Listener[] = [];
    const stop = (listener: Listener): void => {
      retire(listener);
      stopped.push(listener);
    };

    const openAll = async (place: Place, departures: readonly Departure[]): Promise<void> => {
      for (const address of addresses) {
        if (kept.some((listener) => listener.address === address)) continue;
        // Port 0 takes any free port: the first address chooses it for the others.
        const at = place.port === 0 ? ([...kept, ...opened][0]?.port ?? 0) : place.port;
        try {
          opened.push(await open(place, address, at));
        } catch (cause) {
          if (isAddressMissing(cause) && addresses.length > 1) {
            onSkipped?.(`not listening on ${address}: ${messageOf(cause)}`);
            continue;
          }
          // It may be one of ours that has the port: 127.0.0.1 before 0.0.0.0, HTTP before HTTPS, or the front end's that
          // the agent is to have. A moment without it.
          const inTheWay = departures.filter((departure) => departure.port === at && !departure.isStopped());
          if (!isTaken(cause) || inTheWay.length === 0) throw cause;
          for (const departure of inTheWay) departure.stop();
          opened.push(await open(place, address, at));
        }
      }
      if (kept.length + opened.length === 0) {
        const which = `none of its addresses (${addresses.join(', ')}) is on this host`;
        throw new ListenError(`cannot listen on ${place.host}: ${which}; set ${options.section}.host to an address of this host`);
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
        const former = place;
        if (former === undefined || isClosed) return;
        const again = await Promise.allSettled(stopped.map(({ address, port: at }) => open(former, address, at)));
        const back = again.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
        listeners = [...listeners.filter((listener) => !stopped.includes(listener)), ...back];
      },
      commit() {
        if (isClosed) {
          for (const listener of opened) retire(listener);
          return;
        }
        for (const { server } of kept) {
          if (next?.tls && server instanceof TlsServer && !isDeepStrictEqual(next.tls, place?.tls)) {
            server.setSecureContext(next.tls);
          }
        }
        for (const listener of leaving) if (!stopped.includes(listener)) retire(listener);
        listeners = [...kept, ...opened];
        place = next;
      },
    };
  };

  const addressesOf = async (next: Place): Promise<readonly string[]> => {
    const addresses = await resolve(next.host).catch((cause: unknown) => {
      throw listenError(options.section, next, cause);
    });
    refuseIfClosed(); // a look-up may take long
    return addresses;
  };

  const self: Listeners = {
    prepare,
    moveTo: (next) => moveAll([{ listeners: self, place: next }]),
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
 * Moves several at once, or none: a port may go from one to another.
 *
 * @throws ListenError when one cannot; then everything is as it was
 */
export async function moveAll(
  targets: readonly { readonly listeners: Listeners; readonly place: Place | undefined }[],
): Promise<void> {
  const moves = await Promise.all(targets.map(({ listeners, place }) => listeners.prepare(place)));
  const departures = moves.flatMap((move) => move.departures);
  try {
    for (const move of moves) await move.open(departures);
  } catch (cause) {
    for (const move of moves) move.giveUp(); // all, before one of their ports is taken back
    for (const move of moves) await move.restore(); // as far as it can: the cause is what is told
    throw cause;
  }
  for (const move of moves) move.commit();
}
