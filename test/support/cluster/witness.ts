import type { Service } from '../processes/service.js';
import { eventually } from '../time/wait.js';
import type { Cluster } from './cluster.js';
import type { Node } from './patroni-node.js';

/** Where Patroni has the keys of every cluster that the tests start: its default namespace, and their scope. */
export const CLUSTER_KEY = '/service/patroniglue';

/** The section `witness` of the patroniglue beside a node. */
export function witnessOf({ etcd }: Pick<Cluster, 'etcd'>, { name, pgPort }: Node): Record<string, unknown> {
  const hosts = etcd.members.map(({ port }) => `127.0.0.1:${port}`);
  return { etcd3: { hosts }, key: CLUSTER_KEY, name, postgres: `127.0.0.1:${pgPort}` };
}

/** Resolves when a service has found that its witness agrees with Patroni. */
export async function untilWitnessAgrees(service: Service): Promise<void> {
  await eventually('the witness agrees with Patroni', 20_000, async () => {
    const page = await service.get('/-/metrics');
    return page.kind === 'reply' && /^patroniglue_witness_up 1$/m.test(page.body);
  });
}
