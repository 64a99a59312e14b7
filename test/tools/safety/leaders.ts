import type { Cluster } from '../../support/cluster/cluster.js';
import { type Reply, ask } from '../../support/clients/http-get.js';
import { nowMs } from '../../support/time/monotonic.js';
import type { Service } from '../../support/processes/service.js';

/** What was said to one `GET /primary`. */
export interface Said {
  readonly sentMs: number;
  readonly node: string;
  /** Patroni itself, or a patroniglue. */
  readonly by: string;
  /** 0 where there was no reply. */
  readonly status: number;
  /** A 503 of the lease guard's. */
  readonly guarded: boolean;
}

/** Where somebody says whether a node is the primary. */
export interface Place {
  readonly node: string;
  /** Patroni itself, or a patroniglue. */
  readonly by: string;
  readonly port: number;
}

/** Asks for /primary again and again. */
export interface LeaderWatch {
  /** All that was said so far, in no order. */
  readonly said: readonly Said[];
  stop(): Promise<void>;
}

/** Each node's Patroni, and the patroniglue beside it; `services` are in the order of the cluster's nodes. */
export function placesOf(
  { nodes }: Pick<Cluster, 'nodes'>,
  services: readonly Service[],
  by = 'patroniglue',
): readonly Place[] {
  return nodes.flatMap(({ name, restPort }, index) => [
    { node: name, by: 'patroni', port: restPort },
    { node: name, by, port: services[index]?.port ?? 0 },
  ]);
}

/** Starts to ask each place every so often. */
export function watchLeaders(places: readonly Place[], everyMs: number): LeaderWatch {
  const said: Said[] = [];
  const underWay = new Set<Promise<void>>();
  const sample = async ({ node, by, port }: Place): Promise<void> => {
    const sentMs = nowMs();
    const reply = await ask(port, '/primary');
    said.push({ sentMs, node, by, status: reply.kind === 'reply' ? reply.status : 0, guarded: isGuards(reply) });
  };
  const timer = setInterval(() => {
    for (const place of places) {
      const one = sample(place).finally(() => underWay.delete(one));
      underWay.add(one);
    }
  }, everyMs);
  return {
    said,
    async stop() {
      clearInterval(timer);
      await Promise.all(underWay);
    },
  };
}

function isGuards(reply: Reply): boolean {
  return reply.kind === 'reply' && reply.status === 503 && reply.body.includes('may lose its leader key');
}

/** When the first, or the last, 200 was said there; `undefined` if there was none. */
export function momentOf200(
  which: 'first' | 'last',
  said: readonly Said[],
  node: string,
  by: Said['by'],
): number | undefined {
  const times = said.filter((one) => one.node === node && one.by === by && one.status === 200);
  const sorted = times.map(({ sentMs }) => sentMs).sort((a, b) => a - b);
  return which === 'first' ? sorted[0] : sorted.at(-1);
}
