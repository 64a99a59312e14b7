import type { Server, Socket } from 'node:net';

/** Who may ask, and whom to tell of a client that was refused. */
export interface AccessGateOptions {
  /** `client`: the address in the PROXY header of the connection, if there is one. Asked for each connection. */
  readonly mayAsk: (socket: Pick<Socket, 'remoteAddress' | 'localAddress'>, client?: string) => boolean;
  /** Called with the address of a client whose connection was ended because it may not ask. */
  readonly onRefused: (address: string) => void;
}

/** Ends the connections of clients that may not ask. */
export interface AccessGate {
  /**
   * Ends such connections to `server` at once, before anything is read: the listeners that are there at this moment never see
   * them, so they count for no limit. To be called last, when the server has its listeners.
   */
  guard(server: Server): void;
  /** True if the client that a PROXY header names may ask. If not, the connection is ended. */
  admits(socket: Socket, client: string): boolean;
  /** Ends the open connections of clients that may no longer ask: to be called after a reload. */
  readonly recheck: () => void;
}

/** One gate may guard several servers. */
export function createAccessGate({ mayAsk, onRefused }: AccessGateOptions): AccessGate {
  /** The open connections, each with the client that its PROXY header names. */
  const admitted = new Map<Socket, string | undefined>();
  const refuse = (socket: Socket, client = socket.remoteAddress): void => {
    socket.on('error', () => undefined);
    socket.resetAndDestroy(); // a reset leaves nothing behind, neither here nor in the kernel
    if (client !== undefined) onRefused(client); // a client that has gone already has no address
  };
  return {
    guard(server) {
      const listeners = server.listeners('connection');
      server.removeAllListeners('connection');
      server.on('connection', (socket: Socket) => {
        if (!mayAsk(socket)) {
          refuse(socket);
          return;
        }
        admitted.set(socket, undefined);
        socket.once('close', () => admitted.delete(socket));
        for (const listener of listeners) Reflect.apply(listener, server, [socket]);
      });
    },
    admits(socket, client) {
      if (mayAsk(socket, client)) {
        admitted.set(socket, client);
        return true;
      }
      refuse(socket, client);
      return false;
    },
    recheck() {
      for (const [socket, client] of admitted) {
        if (!mayAsk(socket, client)) refuse(socket, client);
      }
    },
  };
}
