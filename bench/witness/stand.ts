import { setTimeout as sleep } from 'node:timers/promises';
import { type Cluster, startCluster } from '../../test/support/cluster/cluster.js';
import { type HAProxy, startHAProxy } from '../../test/support/cluster/haproxy.js';
import type { Node } from '../../test/support/cluster/patroni-node.js';
import { type Service, startService } from '../../test/support/processes/service.js';
import { eventually } from '../../test/support/time/wait.js';

/** Patroni's default timings, in seconds. */
export const TIMINGS = { ttl: 30, loop_wait: 10, retry_timeout: 10 };

/** Who answers the checks: Patroni itself, a patroniglue without the witness, or one with it. */
export const WAYS = ['patroni', 'without', 'with'] as const;
export type Way = (typeof WAYS)[number];

/** How a way is called in tables and in the picture. */
export const NAMES: Readonly<Record<Way, string>> = {
  patroni: 'Patroni itself',
  without: 'patroniglue, no witness',
  with: 'patroniglue with the witness',
};

/** In place of the example's `inter 3s fastinter 1s`. */
export const HAPROXY_INTER_MS = 1000;

/** A cluster of two, two patroniglues at each node, and for each way an HAProxy that checks by it. */
export interface Stand {
  readonly cluster: Cluster;
  /** The primary when all began, and the node that may be promoted. */
  readonly old: Node;
  readonly next: Node;
  readonly haproxies: Readonly<Record<Way, HAProxy>>;
  /** Where the checks of a node are answered. */
  readonly port: (node: Node, way: Way) => number;
  /** Resolves when each HAProxy has the old primary up, and the witness agrees with Patroni. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

/** Starts all of it; on failure nothing is left. */
export async function startStand(): Promise<Stand> {
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  const opened = <T extends { close(): Promise<void> }>(resource: T): T => {
    closers.push(() => resource.close());
    return resource;
  };
  try {
    const cluster = opened(await startCluster({ hangable: true, dynamic: TIMINGS }));
    const old = await cluster.primary();
    const next = await cluster.replica();
    const nodes = [old, next];
    const services = new Map<string, Service>();
    for (const node of nodes) {
      for (const way of ['without', 'with'] as const) {
        services.set(`${node.name} ${way}`, opened(await startPatroniglue(cluster, node, way)));
      }
    }
    const port = (node: Node, way: Way): number =>
      way === 'patroni' ? node.restPort : (services.get(`${node.name} ${way}`)?.port ?? 0);
    const haproxyOf = async (way: Way): Promise<HAProxy> => {
      const servers = cluster.nodes.map((node) => ({ name: node.name, port: node.pgPort, checkPort: port(node, way) }));
      return opened(await startHAProxy({ servers, interMs: HAPROXY_INTER_MS }));
    };
    const haproxies = {
      patroni: await haproxyOf('patroni'),
      without: await haproxyOf('without'),
      with: await haproxyOf('with'),
    };
    return {
      cluster,
      old,
      next,
      haproxies,
      port,
      async settled() {
        await cluster.healthy(120_000);
        await sleep(2 * TIMINGS.loop_wait * 1000); // the member keys are written again
        const expected = [`primary/${old.name}`, `replica/${next.name}`];
        for (const way of WAYS) await haproxies[way].untilUp(expected, 60_000);
        await eventually('the witness agrees with Patroni', 60_000, async () => {
          const reply = await services.get(`${old.name} with`)?.get('/-/metrics');
          return reply?.kind === 'reply' && /^patroniglue_witness_up 1$/m.test(reply.body);
        });
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function startPatroniglue(cluster: Cluster, node: Node, way: 'without' | 'with'): Promise<Service> {
  const witness = {
    etcd3: { hosts: cluster.etcd.members.map(({ port }) => `127.0.0.1:${port}`) },
    key: '/service/patroniglue',
    name: node.name,
    postgres: `127.0.0.1:${node.pgPort}`,
  };
  const backend = { host: '127.0.0.1', port: node.restPort };
  return startService({ config: { backend, ...(way === 'with' && { witness }) }, flags: [] });
}
