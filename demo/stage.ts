import { startHAProxy } from '../test/support/cluster/haproxy.js';
import { startService, type Service } from '../test/support/processes/service.js';
import { eventually } from '../test/support/time/wait.js';
import { clusterKey, type Patroni } from './patroni.js';

/** patroniglue's `cache.ttl` and `cache.interval`, in milliseconds: the defaults. */
export const ttlMs = 4000;
export const intervalMs = 1000;

/** patroniglue beside each node, and HAProxy that checks through them. */
export interface Glue {
  /** The primary's patroniglue. */
  readonly port: number;
  /** What that patroniglue has logged: JSON lines with every poll. */
  log(): string;
  /** What HAProxy says of the primary's server: `UP`, `UP 1/3`, `DOWN`. Absent where there is no HAProxy. */
  readonly serverStatus: (() => Promise<string>) | undefined;
}

/** The same twice: without the witness, and with it. */
export interface Stage {
  readonly without: Glue;
  readonly witnessed: Glue;
  close(): Promise<void>;
}

/** Starts all of it; on failure nothing is left. */
export async function startStage(patroni: Patroni, withHAProxy: boolean): Promise<Stage> {
  const resources: { close(): Promise<void> }[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(resources.splice(0).map((resource) => resource.close()));
  };
  const opened = <T extends { close(): Promise<void> }>(resource: T): T => {
    resources.push(resource);
    return resource;
  };
  const startGlue = async (hasWitness: boolean): Promise<Glue> => {
    const services: Service[] = [];
    for (const node of patroni.nodes) services.push(opened(await startPatroniglue(patroni, node, hasWitness)));
    const [service] = services;
    if (hasWitness) await eventually('the witness agrees with Patroni', 10_000, () => agrees(service));
    const glue = { port: service?.port ?? 0, log: () => service?.output() ?? '' };
    if (!withHAProxy) return { ...glue, serverStatus: undefined };
    const servers = patroni.nodes.map(({ name, pgPort }, index) => ({
      name,
      port: pgPort,
      checkPort: services[index]?.port ?? 0,
    }));
    const haproxy = opened(await startHAProxy({ servers }));
    const [primary] = patroni.nodes;
    await haproxy.untilUp(patroni.nodes.map(({ name }) => `${name === primary.name ? 'primary' : 'replica'}/${name}`));
    const serverStatus = async (): Promise<string> =>
      (await haproxy.serverStates())[`primary/${primary.name}`]?.status ?? 'not there';
    return { ...glue, serverStatus };
  };
  try {
    return { without: await startGlue(false), witnessed: await startGlue(true), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function agrees(service: Service | undefined): Promise<boolean> {
  const reply = await service?.get('/-/metrics');
  return reply?.kind === 'reply' && /^patroniglue_witness_up 1$/m.test(reply.body);
}

function startPatroniglue(patroni: Patroni, node: Patroni['nodes'][number], hasWitness: boolean): Promise<Service> {
  const witness = {
    etcd3: { hosts: [`127.0.0.1:${patroni.etcdPort}`] },
    key: clusterKey,
    name: node.name,
    postgres: patroni.hasPostgres ? `127.0.0.1:${node.pgPort}` : 'none',
  };
  return startService({
    config: {
      backend: { host: '127.0.0.1', port: node.restPort },
      cache: { ttl: ttlMs / 1000, interval: intervalMs / 1000 },
      log: { format: 'json' },
      ...(hasWitness && { witness }),
    },
    flags: ['--debug'],
  });
}
