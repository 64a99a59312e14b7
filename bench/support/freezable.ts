import { execFileSync } from 'node:child_process';
import { startCluster } from '../../test/support/cluster/cluster.js';
import { OTHERS_CORE, taskset } from '../../test/support/measuring/cores.js';
import { missingPrograms } from '../../test/support/processes/programs.js';
import { startBenchUpstream } from './upstream.js';

/** An upstream whose process can be stopped and continued. */
export interface Freezable {
  /** Its description in the report. */
  readonly label: string;
  readonly port: number;
  freeze(): void;
  thaw(): void;
  close(): Promise<void>;
}

/** A real Patroni (the primary of a cluster with one node) if the programs are installed; otherwise a scripted Patroni. */
export async function startFreezable(): Promise<Freezable> {
  if (missingPrograms().length > 0) return { label: 'a scripted upstream', ...(await startBenchUpstream()) };
  // Patroni's default is 10. With the smallest value, 3, the lease guard would end answers before their time to live
  const cluster = await startCluster({ nodes: 1, dynamic: { retry_timeout: 7 } });
  const [node] = cluster.nodes;
  if (node === undefined) throw new Error('the cluster has no node');
  for (const pid of cluster.processes()) {
    if (taskset) execFileSync(taskset, ['-a', '-c', '-p', String(OTHERS_CORE), String(pid)], { stdio: 'ignore' });
  }
  return {
    label: 'a real Patroni',
    port: node.restPort,
    freeze: () => {
      node.freeze();
    },
    thaw: () => {
      node.thaw();
    },
    close: () => cluster.close(),
  };
}
