import { startHAProxy, type HAProxy } from '../test/support/cluster/haproxy.js';
import { startService, type Service } from '../test/support/processes/service.js';
import type { Patroni } from './patroni.js';

/** patroniglue's `cache.ttl` and `cache.interval`, in milliseconds: the defaults. */
export const ttlMs = 4000;
export const intervalMs = 1000;

/** patroniglue beside each node, and HAProxy that checks through them. */
export interface Stage {
  /** The primary's patroniglue. */
  readonly port: number;
  /** What that patroniglue has logged: JSON lines with every poll. */
  log(): string;
  /** What HAProxy says of the primary's server: `UP`, `UP 1/3`, `DOWN`. Absent where there is no HAProxy. */
  readonly serverStatus: (() => Promise<string>) | undefined;
  close(): Promise<void>;
}

/** Starts all of it; on failure nothing is left. */
export async function startStage(patroni: Patroni, withHAProxy: boolean): Promise<Stage> {
  const services: Service[] = [];
  let haproxy: HAProxy | undefined;
  const close = async (): Promise<void> => {
    await Promise.all([...services, ...(haproxy ? [haproxy] : [])].map((resource) => resource.close()));
  };
  try {
    for (const { restPort } of patroni.nodes) services.push(await startPatroniglue(restPort));
    const [primary] = patroni.nodes;
    if (withHAProxy) {
      const servers = patroni.nodes.map(({ name, pgPort }, index) => ({
        name,
        port: pgPort,
        checkPort: services[index]?.port ?? 0,
      }));
      haproxy = await startHAProxy({ servers });
      await haproxy.untilUp(
        patroni.nodes.map(({ name }) => `${name === primary.name ? 'primary' : 'replica'}/${name}`),
      );
    }
    const asked = haproxy;
    return {
      port: services[0]?.port ?? 0,
      log: () => services[0]?.output() ?? '',
      serverStatus:
        asked && (async () => (await asked.serverStates())[`primary/${primary.name}`]?.status ?? 'not there'),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function startPatroniglue(restPort: number): Promise<Service> {
  return startService({
    config: {
      backend: { host: '127.0.0.1', port: restPort },
      cache: { ttl: ttlMs / 1000, interval: intervalMs / 1000 },
      log: { format: 'json' },
    },
    flags: ['--debug'],
  });
}
