import { once } from 'node:events';
import { type AddressInfo, type Socket, createServer } from 'node:net';
import { answering } from './upstream.js';

/** An upstream like a Patroni with a pool of workers: while they hang, it holds whatever connects, and each one costs a file. */
export interface FrozenPool {
  readonly port: number;
  /** All connections so far. */
  readonly connections: number;
  /** Those that it holds: the client may have closed its side long ago. */
  readonly held: number;
  /** From now on it reads nothing, answers nothing and closes nothing. */
  freeze(): void;
  /** It serves what it holds, the oldest first, and whatever comes. */
  thaw(): void;
  close(): Promise<void>;
}

/** Starts one that answers 200. */
export async function startFrozenPool(): Promise<FrozenPool> {
  const held = new Set<Socket>();
  const open = new Set<Socket>();
  let connections = 0;
  let frozen = false;
  const serve = (socket: Socket): void => {
    held.delete(socket);
    socket.once('data', (head: Buffer) => {
      answering(200)(socket, head.toString('latin1'));
    });
    socket.resume();
  };
  // paused and half open, so that the end of a client is not even read: CLOSE-WAIT, as in Patroni's queue
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => {
    connections += 1;
    open.add(socket);
    socket.on('error', () => undefined);
    socket.once('end', () => socket.end());
    socket.once('close', () => open.delete(socket));
    if (frozen) held.add(socket);
    else serve(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections;
    },
    get held() {
      return held.size;
    },
    freeze() {
      frozen = true;
    },
    thaw() {
      frozen = false;
      for (const socket of held) serve(socket);
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}
