import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Standstill } from '../measuring/ages.js';
import { freePort } from './ports.js';
import type { ServiceOptions } from './service.js';
import { within } from '../time/wait.js';

/** Blocks the event loop of a service that is as it is shipped, but was started with `options`. */
export interface Blocker {
  readonly options: Pick<ServiceOptions, 'nodeFlags' | 'env'>;
  /** To the service, once it is started. */
  connect(): Promise<void>;
  /**
   * For so long; resolves afterwards. An order that comes meanwhile is the next turn's, in its order among what else
   * comes: what is read in the turn of a block is read after it before any timer.
   */
  block(forMs: number): Promise<Standstill>;
  close(): void;
}

/** A blocker for a service that is started next. */
export async function createBlocker(): Promise<Blocker> {
  const port = await freePort();
  const preload = fileURLToPath(new URL('./block-preload.js', import.meta.url));
  const waiting: ((standstill: Standstill) => void)[] = [];
  let socket: ReturnType<typeof connect> | undefined;
  return {
    options: { nodeFlags: ['--import', preload], env: { BLOCKER_PORT: String(port) } },
    async connect() {
      socket = connect({ port, host: '127.0.0.1', noDelay: true });
      socket.setEncoding('latin1').on('data', (text: string) => {
        for (const line of text.trim().split('\n')) {
          const [fromMs = NaN, toMs = NaN] = line.split(' ').map(Number);
          waiting.shift()?.({ fromMs, toMs });
        }
      });
      await within('the blocker is connected', 5000, once(socket, 'connect'));
    },
    block: (forMs) => {
      socket?.write(String(forMs));
      return within('the event loop goes on', forMs + 10_000, new Promise((resolve) => waiting.push(resolve)));
    },
    close: () => {
      socket?.destroy();
    },
  };
}
