import type { Server, Socket } from 'node:net';

/** The open connections of the front end. */
export interface Connections {
  /** Ends them all, in whatever state: Node's `closeAllConnections` knows none that is in its TLS handshake. */
  destroyAll(): void;
}

/**
 * Bounds the open connections of some servers together: one too many ends the oldest. Replies are given at once, so an
 * old connection is an idle or a slow one, and a new one is a health check that must get through.
 */
export function boundConnections(servers: readonly Server[], max: number): Connections {
  const open = new Set<Socket>(); // in the order of their arrival
  const admit = (socket: Socket): void => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    const [oldest] = open;
    if (open.size <= max || oldest === undefined) return;
    open.delete(oldest);
    oldest.destroy();
  };
  for (const server of servers) server.on('connection', admit);
  return {
    destroyAll() {
      for (const socket of open) socket.destroy();
    },
  };
}
