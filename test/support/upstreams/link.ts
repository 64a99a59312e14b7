import { once } from 'node:events';
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';

/** The state of the link to a port. */
type Weather =
  | 'clear'
  /** Connections are reset, and new ones as soon as they are there. */
  | 'cut'
  /** Bytes drip, so that no time-out of a single read is ever reached: a client that waits for the whole answer hangs. */
  | 'dripping'
  /** Bytes arrive so much later. */
  | { readonly delayMs: number };

/** A way to a port on loopback that can be made bad: a node's own way to the DCS, say. */
export interface Link {
  readonly port: number;
  /** From now on, for connections that are open, too. */
  set(weather: Weather): void;
  close(): Promise<void>;
}

/** Patroni's reads have time-outs from a second up. */
const DRIP_EVERY_MS = 200;

/** Listens on loopback, and passes on to that port. */
export async function openLink(toPort: number): Promise<Link> {
  let weather: Weather = 'clear';
  const open = new Set<Socket>();
  const cut = (): void => {
    for (const socket of open) socket.resetAndDestroy();
  };
  const server = createServer((client) => {
    open.add(client);
    const there = connect(toPort, '127.0.0.1');
    client.on('error', () => undefined).once('close', () => (open.delete(client), there.destroy()));
    there.on('error', () => undefined).once('close', () => client.destroy());
    if (weather === 'cut') {
      client.resetAndDestroy();
      return;
    }
    client.pipe(there);
    there.on('data', (chunk: Buffer) => {
      if (weather === 'dripping') {
        client.write(chunk.subarray(0, 1));
        const rest = [...chunk.subarray(1)];
        const drip = setInterval(() => client.write(Buffer.from([rest.shift() ?? 0x20])), DRIP_EVERY_MS);
        client.once('close', () => {
          clearInterval(drip);
        });
        there.pause();
      } else if (typeof weather === 'object') {
        setTimeout(() => client.write(chunk), weather.delayMs);
      } else {
        client.write(chunk);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    set(next) {
      weather = next;
      if (weather === 'cut') cut();
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      cut();
      await closed;
    },
  };
}
