import type { Config } from '../config/types.js';
import { type Listeners, type ListenAt, moveAll } from '../sockets/listeners.js';

/** A part of the service that listens where the configuration says: the front end, or agent checks. */
export interface ConfiguredListener {
  readonly listeners: Listeners;
  /** Where it listens with a configuration; `undefined`: nowhere. */
  readonly listenAtOf: (config: Config) => ListenAt | undefined;
  /** Called after it listens as the configuration says. */
  readonly reconfigured: (config: Config) => void;
  /** Stops listening. Connections that are still open after `withinMs` are ended; then it resolves. */
  readonly close: (withinMs: number) => Promise<void>;
}

/** The listen addresses of the service. */
export interface ListenAddresses {
  /** @throws ListenError */
  open(): Promise<void>;
  /**
   * Waits until all are open, and then moves them.
   *
   * @throws ListenError when one of them cannot listen as the new configuration says; then nothing has changed
   */
  reconfigure(config: Config): Promise<void>;
  /** Closes all. A listener whose start is still under way is closed as soon as it has started. */
  close(withinMs: number): Promise<void>;
}

/** Starts all of them at once, so that a slow look-up of one name does not delay the others. */
export function createListenAddresses(starts: readonly (() => Promise<ConfiguredListener>)[]): ListenAddresses {
  const open: ConfiguredListener[] = [];
  let opening: Promise<unknown> = Promise.resolve();
  let isClosed = false;
  const start = async (listen: () => Promise<ConfiguredListener>): Promise<void> => {
    const listener = await listen();
    if (isClosed) await listener.close(0);
    else open.push(listener);
  };
  return {
    async open() {
      opening = Promise.all(starts.map(start));
      await opening;
    },
    async reconfigure(config) {
      await opening;
      await moveAll(open.map(({ listeners, listenAtOf }) => ({ listeners, listenAt: listenAtOf(config) })));
      for (const { reconfigured } of open) reconfigured(config);
    },
    async close(withinMs) {
      isClosed = true;
      await Promise.all(open.map((listener) => listener.close(withinMs)));
    },
  };
}
