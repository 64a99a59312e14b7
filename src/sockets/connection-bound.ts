import type { Server, Socket } from 'node:net';
import type { Listeners } from './listeners.js';

/** The open connections of clients. */
export interface Connections {
  /** The most at a time. */
  max: number;
  /** How many there are. */
  readonly open: number;
  /** Bounds those of a server, too. */
  watch(server: Server): void;
  /** Ends them all, in whatever state: Node's `closeAllConnections` knows none that is in its TLS handshake. */
  destroyAll(): void;
}

/** What is told of the bound: once when it begins to end connections, and once when it has long ended none. */
export type Crowding = { readonly kind: 'crowded' } | { readonly kind: 'relieved'; readonly ended: number };

/** Told of crowding, as it happens. */
export type OnCrowding = (crowding: Crowding) => void;

/** A crowd is over when no connection had to be ended for so long; the next one is told of anew. */
const RELIEVED_AFTER_MS = 5000;

/**
 * Bounds the open connections of all servers that are watched, together: one too many ends the oldest. Replies are given at once, so an
 * old connection is an idle or a slow one, and a new one is a health check that must get through.
 */
export function boundConnections(max: number, onCrowding: OnCrowding = () => undefined): Connections {
  const open = new Set<Socket>(); // in the order of their arrival
  const noteEnded = watchCrowding(onCrowding);
  const admit = (socket: Socket): void => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    const [oldest] = open;
    if (open.size <= connections.max || oldest === undefined) return;
    open.delete(oldest);
    oldest.destroy();
    noteEnded();
  };
  const connections: Connections = {
    max,
    get open() {
      return open.size;
    },
    watch(server) {
      server.on('connection', admit);
    },
    destroyAll() {
      for (const socket of open) socket.destroy();
    },
  };
  return connections;
}

/** Stops listening, lets what is under way end, and ends every connection within `withinMs`. */
export async function closeWithin(
  withinMs: number,
  listeners: Pick<Listeners, 'close'>,
  connections: Pick<Connections, 'destroyAll'>,
): Promise<void> {
  const timer = setTimeout(() => {
    connections.destroyAll();
  }, withinMs);
  await listeners.close();
  clearTimeout(timer);
}

/** Makes a series of connections that were ended two events: its first, and that there was none for a while. */
function watchCrowding(onCrowding: OnCrowding): () => void {
  let ended = 0;
  let relief: NodeJS.Timeout | undefined;
  return () => {
    ended += 1;
    if (relief) {
      relief.refresh();
      return;
    }
    relief = setTimeout(() => {
      const crowding: Crowding = { kind: 'relieved', ended };
      relief = undefined;
      ended = 0;
      onCrowding(crowding);
    }, RELIEVED_AFTER_MS).unref();
    onCrowding({ kind: 'crowded' });
  };
}
