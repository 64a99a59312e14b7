import type { Server, Socket } from 'node:net';
import type { Listeners } from './listeners.js';

/** The open connections of clients. */
export interface Connections {
  /** The most open connections at a time. */
  max: number;
  /** How many connections are open. */
  readonly open: number;
  /** Counts and limits the connections of this server as well. */
  watch(server: Server): void;
  /** Ends all connections. Node's `closeAllConnections` would leave out those that are in their TLS handshake. */
  destroyAll(): void;
}

/** `crowded`: the first connection was ended. `relieved`: none was ended for a while; `ended` says how many were before. */
export type Crowding = { readonly kind: 'crowded' } | { readonly kind: 'relieved'; readonly ended: number };

/** Called at the beginning and at the end of each crowd. */
export type OnCrowding = (crowding: Crowding) => void;

/** A crowd is over when no connection was ended for so long. The next one is reported again. */
const RELIEVED_AFTER_MS = 5000;

/**
 * Limits the open connections of all watched servers together. One connection too many ends the oldest: patroniglue replies
 * at once, so an old connection is idle or slow. A new connection is a health check, which must get its reply.
 */
export function limitConnections(max: number, onCrowding: OnCrowding = () => undefined): Connections {
  const open = new Set<Socket>(); // oldest first
  const noteEnded = watchCrowding(onCrowding);
  const track = (socket: Socket): void => {
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
      server.on('connection', track);
    },
    destroyAll() {
      for (const socket of open) socket.destroy();
    },
  };
  return connections;
}

/** Stops listening, lets replies that are under way go out, and ends every connection within `withinMs`. */
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

/** Turns a series of ended connections into two events: one at the first, and one when none was ended for a while. */
function watchCrowding(onCrowding: OnCrowding): () => void {
  let ended = 0;
  let quietTimer: NodeJS.Timeout | undefined;
  return () => {
    ended += 1;
    if (quietTimer) {
      quietTimer.refresh();
      return;
    }
    quietTimer = setTimeout(() => {
      const crowding: Crowding = { kind: 'relieved', ended };
      quietTimer = undefined;
      ended = 0;
      onCrowding(crowding);
    }, RELIEVED_AFTER_MS).unref();
    onCrowding({ kind: 'crowded' });
  };
}
