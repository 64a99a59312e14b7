import { type Observable, type SchedulerLike, throwError } from 'rxjs';
import type { NodeKeys } from '../witness/types.js';
import type { ResolveAll } from './addresses.js';
import type { UpstreamTls } from './connection.js';

/** Where an etcd member listens for clients. */
export interface EtcdHost {
  /** A name or an address. */
  readonly host: string;
  readonly port: number;
}

/** How patroniglue reaches the members of one etcd cluster. */
export interface EtcdOptions {
  /** At least one. */
  readonly hosts: readonly EtcdHost[];
  readonly scheme: 'http' | 'https';
  /** For `https`. */
  readonly tls: UpstreamTls;
  /** Absent if etcd asks for no user. */
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** The longest time to look up a host's name, and the longest time to make a TCP connection to it, in milliseconds. */
  readonly connectMs: number;
  readonly scheduler: SchedulerLike;
  /** Look-up of the hosts' names; replaced in tests. */
  readonly resolve?: ResolveAll | undefined;
}

/**
 * A cold observable of the keys of a node. Each subscription reads once, on new connections. It emits the keys and
 * completes, or it errors with something that `classifyFailure` knows. Unsubscription destroys all sockets.
 *
 * @param key where the cluster's keys are: `/service/main`, without a slash at the end
 * @param name the node's name in Patroni
 */
export type ReadNodeKeys = (key: string, name: string) => Observable<NodeKeys>;

/** Reads a node's keys from etcd. */
export function createEtcd(_options: EtcdOptions): ReadNodeKeys {
  return () => throwError(() => new Error('not made yet'));
}
