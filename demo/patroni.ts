/** A Patroni node's addresses on loopback. */
interface PatroniNode {
  readonly name: string;
  readonly restPort: number;
  readonly pgPort: number;
}

/** Patroni's timings in the demo, in seconds. Its own default of retry_timeout is 10. */
export const timings = { ttl: 20, loop_wait: 1, retry_timeout: 7 };

/** Where Patroni keeps the keys of the cluster in etcd. */
export const clusterKey = '/service/patroniglue';

/** What of Patroni stands still: all of it, or the REST API alone, while the HA loop goes on. */
export type FrozenPart = 'all' | 'api';

/** A two-node cluster to look at, real or scripted. */
export interface Patroni {
  /** For people: what it is, with versions. */
  readonly what: string;
  /** The primary comes first. */
  readonly nodes: readonly [primary: PatroniNode, replica: PatroniNode];
  readonly etcdPort: number;
  /** Whether there is a PostgreSQL at each node's `pgPort`. */
  readonly hasPostgres: boolean;
  /** The primary's REST API accepts connections and says nothing from now on. */
  freeze(part: FrozenPart): void;
  /** It goes on, with the requests that wait. */
  thaw(): void;
  close(): Promise<void>;
}
