import { startCluster } from '../test/support/cluster/cluster.js';
import { type FrozenPart, type Patroni, timings } from './patroni.js';

/** Starts a real two-node cluster; `onStep` is told what is waited for. On failure nothing is left. */
export async function startRealPatroni(onStep: (step: string) => void): Promise<Patroni> {
  // with the least retry_timeout, 3, the lease guard would end answers before their time to live
  const cluster = await startCluster({ onStep, dynamic: timings, hangable: true });
  try {
    const [primary, replica] = await Promise.all([cluster.primary(), cluster.replica()]);
    const reply = await primary.rest('/patroni');
    let frozen: FrozenPart = 'all';
    return {
      what: reply.kind === 'reply' ? versions(reply.body) : 'Patroni',
      nodes: [primary, replica],
      etcdPort: cluster.etcd.members[0]?.port ?? 0,
      hasPostgres: true,
      freeze: (part) => {
        frozen = part;
        if (part === 'api') primary.toggleApi();
        else primary.freeze();
      },
      thaw: () => {
        if (frozen === 'api') primary.toggleApi();
        else primary.thaw();
      },
      close: () => cluster.close(),
    };
  } catch (error) {
    await cluster.close();
    throw error;
  }
}

function versions(body: string): string {
  const patroni = /"version": "([\d.]+)"/.exec(body)?.[1];
  const postgres = /"server_version": (\d+)\d{4}/.exec(body)?.[1];
  return `Patroni ${patroni ?? ''} with PostgreSQL ${postgres ?? ''}`;
}
