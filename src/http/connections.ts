import type { Server, Socket } from 'node:net';

/**
 * Bounds the open connections of some servers together: one too many ends the oldest. Replies are given at once, so an
 * old connection is an idle or a slow one, and a new one is a health check that must get through.
 */
export function boundConnections(servers: readonly Server[], max: number): void {
  const open = new Set<Socket>(); // in the order of their arrival
  const admit = (socket: Socket): void => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    const [oldest] = open;
    if (open.size > max) oldest?.destroy();
  };
  for (const server of servers) server.on('connection', admit);
}
