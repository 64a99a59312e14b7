import { setTimeout as sleep } from 'node:timers/promises';
import { startCluster, type Cluster } from '../../support/cluster/cluster.js';
import { nowMs } from '../../support/time/monotonic.js';
import type { Node } from '../../support/cluster/patroni-node.js';
import { untilWitnessAgrees, witnessOf } from '../../support/cluster/witness.js';
import { startService, type Service } from '../../support/processes/service.js';
import { eventually } from '../../support/time/wait.js';
import type { Recording } from './analysis.js';
import { inTurn, type Event, type Kind, type Plan } from './event.js';
import { startSampler } from './sampler.js';
import type { Span } from './spans.js';

export interface RecordOptions extends Plan {
  /** Of every patroniglue, in seconds. */
  readonly cache: { readonly ttl: number; readonly interval: number };
  /** The cluster's, in seconds. Default {@link QUICK_TIMINGS}. */
  readonly timings?: Timings;
  /** Each patroniglue has a witness. */
  readonly witness?: boolean;
  /** As {@link startCluster} has it. */
  readonly patroniSource?: string | undefined;
  /** From one question to the next, at each place. */
  readonly everyMs: number;
  /** Told of each step. */
  readonly onStep?: (step: string) => void;
}

/** What decides over the life of the leader key, in seconds. */
export interface Timings {
  readonly ttl: number;
  readonly loop_wait: number;
  readonly retry_timeout: number;
}

/** The smallest that Patroni takes. */
export const QUICK_TIMINGS: Timings = { ttl: 20, loop_wait: 1, retry_timeout: 3 };

/** How long a cluster may take to be as it was: it does so within ten seconds, or not at all. */
const RECOVERY_MS = 25_000;

/** The same, when its replicas are made anew. */
const COPY_MS = 60_000;

/** Starts three nodes and a patroniglue for each, samples all six places while the events happen, and leaves nothing. */
export async function record(options: RecordOptions): Promise<Recording> {
  const { cache, everyMs, timings = QUICK_TIMINGS, witness = false, patroniSource, onStep = () => undefined } = options;
  const closers: (() => Promise<void>)[] = [];
  const opened = <T extends { close(): Promise<void> }>(resource: T): T => {
    closers.unshift(() => resource.close());
    return resource;
  };
  try {
    const cluster = opened(await startCluster({ nodes: 3, dynamic: { ...timings }, patroniSource, onStep }));
    const services: Service[] = [];
    for (const node of cluster.nodes) {
      const config = {
        ...{ backend: { host: '127.0.0.1', port: node.restPort }, cache },
        ...(witness && { witness: witnessOf(cluster, node) }),
      };
      services.push(opened(await startService({ config })));
    }
    if (witness) await Promise.all(services.map(untilWitnessAgrees));
    const settled = (): Promise<Node> => agreed(cluster, services, cache.interval * 1000);
    await settled();
    const targets = cluster.nodes.flatMap(({ name: node, restPort }, index) => [
      { node, by: 'patroni' as const, port: restPort },
      { node, by: 'patroniglue' as const, port: services[index]?.port ?? 0 },
    ]);
    const sampler = opened(await startSampler(targets, everyMs));
    const events: Event[] = [];
    for (const kind of inTurn(options)) {
      try {
        const event = await happen[kind](cluster);
        events.push(event);
        const { name } = await settled();
        const tookS = (nowMs() - event.startMs) / 1000;
        onStep(
          `${events.length}: ${event.kind}, from ${event.node} to ${name}, healthy again after ${tookS.toFixed(1)} s`,
        );
      } catch (error) {
        throw new Error(`${kind}: ${(error as Error).message}\n${logsOf(cluster)}`, { cause: error });
      }
    }
    const tracks = await sampler.end();
    const witnessed = {
      ...{ ttlMs: timings.ttl * 1000, loopWaitMs: timings.loop_wait * 1000 },
      retryTimeoutMs: timings.retry_timeout * 1000,
    };
    const times = { ttlMs: cache.ttl * 1000, intervalMs: cache.interval * 1000 };
    return { ...times, ...(witness && { witnessed }), tracks, events };
  } finally {
    for (const close of closers) await close();
  }
}

const happen: Record<Kind, (cluster: Cluster) => Promise<Event>> = {
  switchover: async (cluster) => {
    const { name } = await cluster.primary();
    const startMs = nowMs();
    await cluster.switchover();
    return { kind: 'switchover', node: name, startMs };
  },
  'node killed': (cluster) =>
    silence(cluster, 'node killed', {
      begin: (node) => node.crash(),
      end: (node) => node.replace(),
    }),
  'Patroni killed': (cluster) =>
    silence(cluster, 'Patroni killed', {
      begin: (node) => node.kill(),
      end: (node) => node.start(),
    }),
  'Patroni frozen': (cluster) =>
    silence(cluster, 'Patroni frozen', {
      begin: (node) => {
        node.freeze();
      },
      end: (node) => {
        node.thaw();
      },
    }),
};

/** Makes the primary's Patroni silent until another node is the primary, and not a moment longer: what it says then counts. */
async function silence(
  cluster: Cluster,
  kind: Kind,
  { begin, end }: Record<'begin' | 'end', (node: Node) => unknown>,
): Promise<Event> {
  const old = await cluster.primary();
  const startMs = nowMs();
  const begun = begin(old);
  const fromMs = nowMs();
  await begun;
  const others = cluster.nodes.filter((node) => node !== old);
  await eventually(`another node than ${old.name} is the primary`, 60_000, async () => {
    const replies = await Promise.all(others.map((node) => node.rest('/primary')));
    return replies.some(({ status }) => status === 200);
  });
  const silent: Span = { fromMs, toMs: nowMs() };
  await end(old);
  return { kind, node: old.name, startMs, silent };
}

/** Resolves with the primary when the cluster is healthy and each patroniglue has said for an interval what its Patroni says. */
async function agreed(cluster: Cluster, services: readonly Service[], intervalMs: number): Promise<Node> {
  await cluster.healthy(RECOVERY_MS).catch(() => copiedAnew(cluster));
  const primary = await cluster.primary();
  await eventually(`all patroniglues know that ${primary.name} is the primary`, 20_000, async () => {
    const replies = await Promise.all(services.map((service) => service.get('/primary')));
    return replies.every(({ status }, index) => status === (cluster.nodes[index] === primary ? 200 : 503));
  });
  await sleep(intervalMs); // for the samples: what comes next is another event's
  return primary;
}

/**
 * Makes all replicas anew. Patroni 3.0.2 that was frozen between reading and refreshing its leader key takes it back from
 * the new primary (etcd3.py, `_update_leader`), whose PostgreSQL is then ahead in its timeline and follows nobody for good.
 */
async function copiedAnew(cluster: Cluster): Promise<void> {
  const primary = await cluster.primary();
  const body = JSON.stringify({ force: true });
  for (const node of cluster.nodes.filter((other) => other !== primary)) {
    await node.rest('/reinitialize', { method: 'POST', body, deadlineMs: 15_000 });
  }
  await cluster.healthy(COPY_MS);
}

function logsOf({ nodes }: Cluster): string {
  return nodes.map((node) => `--- ${node.name}\n${node.log().trimEnd().split('\n').slice(-30).join('\n')}`).join('\n');
}
