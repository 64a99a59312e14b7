import { jsonObject } from '../../../src/patroni/json-body.js';
import type { Facts, LeaseLife, NodeKeys, PostgresState } from '../../../src/witness/types.js';

/** What differs from a healthy primary named node1, in an etcd that was asked at `askedAtMs`. */
export interface FactsOptions {
  readonly askedAtMs?: number;
  readonly leader?: string | undefined;
  /** The rest of the lease of the node's keys, in seconds. */
  readonly remainingS?: number | undefined;
  readonly grantedS?: number;
  readonly member?: Readonly<Record<string, unknown>> | undefined;
  readonly config?: Readonly<Record<string, unknown>> | undefined;
  readonly keys?: Partial<NodeKeys>;
  readonly postgres?: PostgresState;
}

/** The member key as Patroni 4.1.4 writes it for a primary. */
export const PRIMARY_MEMBER = {
  conn_url: 'postgres://127.0.0.1:5432/postgres',
  api_url: 'http://127.0.0.1:8008/patroni',
  state: 'running',
  role: 'primary',
  version: '4.1.4',
  xlog_location: 67_108_864,
  timeline: 3,
};

/** The same for a replica. */
export const REPLICA_MEMBER = {
  ...PRIMARY_MEMBER,
  role: 'replica',
  xlog_location: 67_108_864,
  receive_lsn: 67_108_864,
  replay_lsn: 67_108_864,
  replication_state: 'streaming',
};

/** Facts as one read gives them. */
export function factsOf(options: FactsOptions = {}): Facts {
  const { askedAtMs = 0, remainingS = 30, grantedS = 30, postgres = 'accepts', keys = {} } = options;
  const leader = 'leader' in options ? options.leader : 'node1';
  const member = 'member' in options ? options.member : PRIMARY_MEMBER;
  const config = 'config' in options ? options.config : { ttl: 30, loop_wait: 10, retry_timeout: 10 };
  const lease: LeaseLife = { remainingMs: remainingS * 1000, grantedMs: grantedS * 1000 };
  const read: NodeKeys = {
    ...(leader !== undefined && { leader: { value: leader, ...(leader === 'node1' && { lease }) } }),
    ...(member && { member: { value: JSON.stringify(member), lease } }),
    ...(config && { config: JSON.stringify(config) }),
    status: JSON.stringify({ optime: 67_108_864 }),
    initialize: '7000000000000000001',
    ...keys,
  };
  return { name: 'node1', askedAtMs, keys: read, member: read.member && jsonObject(read.member.value), postgres };
}
