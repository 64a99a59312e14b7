import { type Said, watchLeaders } from '../../test/tools/safety/leaders.js';
import { nowMs } from '../../test/support/time/monotonic.js';
import { type Stand, WAYS, type Way } from './stand.js';

/** Whether an HAProxy had the old primary up, at a moment. */
export interface ServerSaid {
  readonly atMs: number;
  readonly by: Way;
  readonly isUp: boolean;
}

/** All that was seen. `said` and `servers` grow while the watch lasts. */
export interface Watch {
  /** What each way said to `GET /primary`, at each node. `by` is the way. */
  readonly said: readonly Said[];
  readonly servers: readonly ServerSaid[];
  /** How often each HAProxy has marked the old primary DOWN so far. */
  downs(): Promise<Readonly<Record<Way, number>>>;
  stop(): Promise<void>;
}

const SERVERS_EVERY_MS = 200;

/** Starts to ask each way at each node for `/primary` every `everyMs`, and each HAProxy for the state of the old primary. */
export function startWatch({ old, next, haproxies, port }: Stand, everyMs: number): Watch {
  const places = [old, next].flatMap((node) =>
    WAYS.map((way) => ({ node: node.name, by: way, port: port(node, way) })),
  );
  const leaders = watchLeaders(places, everyMs);
  const servers: ServerSaid[] = [];
  const stateOf = async (way: Way) => (await haproxies[way].serverStates())[`primary/${old.name}`];
  const ask = async (way: Way): Promise<void> => {
    const state = await stateOf(way);
    if (state) servers.push({ atMs: nowMs(), by: way, isUp: state.up });
  };
  const underWay = new Set<Promise<unknown>>();
  const timer = setInterval(() => {
    for (const way of WAYS) {
      const one: Promise<unknown> = ask(way)
        .catch(() => undefined) // it is asked again
        .finally(() => underWay.delete(one));
      underWay.add(one);
    }
  }, SERVERS_EVERY_MS);
  return {
    said: leaders.said,
    servers,
    async downs() {
      const [patroni, without, withIt] = await Promise.all(WAYS.map(async (way) => (await stateOf(way))?.downs ?? NaN));
      return { patroni: patroni ?? NaN, without: without ?? NaN, with: withIt ?? NaN };
    },
    async stop() {
      clearInterval(timer);
      await Promise.all([...underWay, leaders.stop()]);
    },
  };
}
