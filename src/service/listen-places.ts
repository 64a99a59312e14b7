import type { Config } from '../config/types.js';
import { type Listeners, type Place, moveAll } from '../sockets/listeners.js';

/** Something that listens as the configuration says. */
export interface ConfiguredListener {
  readonly listeners: Listeners;
  /** Where it listens by a configuration; nowhere where absent. */
  readonly placeOf: (config: Config) => Place | undefined;
  /** Told when it listens there. */
  readonly reconfigured: (config: Config) => void;
  /** Stops listening; resolves within `withinMs` and the moment that it takes to end what is open by then. */
  readonly close: (withinMs: number) => Promise<void>;
}

/** All that listens. */
export interface Places {
  /** @throws ListenError */
  open(): Promise<void>;
  /**
   * Waits until all are open.
   *
   * @throws ListenError when one cannot listen as another configuration says; then nothing has changed
   */
  reconfigure(config: Config): Promise<void>;
  /** Also what is not open by then stays closed. */
  close(withinMs: number): Promise<void>;
}

/** All start at once: a slow look-up of one place holds up no other. */
export function createPlaces(starts: readonly (() => Promise<ConfiguredListener>)[]): Places {
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
      await moveAll(open.map(({ listeners, placeOf }) => ({ listeners, place: placeOf(config) })));
      for (const { reconfigured } of open) reconfigured(config);
    },
    async close(withinMs) {
      isClosed = true;
      await Promise.all(open.map((listener) => listener.close(withinMs)));
    },
  };
}
