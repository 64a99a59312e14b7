import type { ClientTls } from '../clients/http-get.js';
import type { Programs } from '../processes/programs.js';
import type { Workspace } from '../processes/workspace.js';

/** HTTPS at Patroni's REST API: its own certificate, and what a client of it needs. */
export interface RestTls extends ClientTls {
  readonly serverCertFile: string;
  readonly serverKeyFile: string;
  /** `required` also wants a client certificate for GET; `optional` for what changes something. Default `none`. */
  readonly verifyClient?: 'none' | 'optional' | 'required';
}

/** What can be chosen of a cluster. */
export interface ClusterOptions {
  /** Default 2: node1, which becomes the primary, and node2. */
  readonly nodes?: number;
  readonly tls?: RestTls;
  /** Tags of each node, in order: `[{ clonefrom: true }, { nofailover: true }]`. */
  readonly tags?: readonly Readonly<Record<string, unknown>>[];
  /** Over the quick default of `bootstrap.dcs` (ttl 20, loop_wait 1, retry_timeout 3: Patroni's minimums). */
  readonly dynamic?: Readonly<Record<string, unknown>>;
  /** Makes a standby cluster: its leader replicates from the PostgreSQL at this loopback port. */
  readonly standbyOf?: { readonly pgPort: number };
  /** Before the number in the nodes' names. Default `node`; clusters that replicate from one another need different ones. */
  readonly namePrefix?: string;
  /** Each node has ways that can be made bad: `node.links`. They lead through this process, which must not be busy. */
  readonly links?: boolean;
  /** Default 1. Patroni is told of all of them. */
  readonly etcds?: number;
  /** HA loops and APIs can be made to hang, each alone: `node.hang()`, `node.toggleApi()`. */
  readonly hangable?: boolean;
  /** Run by each node's Patroni when its role has changed, or PostgreSQL was stopped; its first argument is the node's index. */
  readonly callback?: string;
  /** Patroni's limit of open files. */
  readonly openFiles?: number;
  /** A Patroni source tree to run in place of the installed Patroni; readable by whoever runs PostgreSQL. */
  readonly patroniSource?: string | undefined;
  /** Told of each step of the start: for a demo that shows what it waits for. */
  readonly onStep?: (step: string) => void;
}

/** What makes one node. */
export interface NodeSettings {
  readonly name: string;
  readonly index: number;
  readonly restPort: number;
  readonly pgPort: number;
  /** By which the node reaches the DCS. */
  readonly dcsPorts: readonly number[];
  /** By which the other nodes reach its REST API. */
  readonly peerPort: number;
  readonly workspace: Workspace;
  readonly programs: Programs;
  readonly options: ClusterOptions;
}

/** Quick rather than durable: a cluster that lives for a minute needs no fsync and little memory. */
export function patroniConfig(settings: NodeSettings): unknown {
  const { name, index, restPort, pgPort, dcsPorts, peerPort, workspace, programs, options } = settings;
  const { tls } = options;
  const rest = `127.0.0.1:${restPort}`;
  const database = `127.0.0.1:${pgPort}`;
  return {
    scope: 'patroniglue',
    name,
    // By a link as by a proxy: else Patroni asks etcd where it is, and goes there itself.
    etcd3: options.links
      ? { proxy: `http://127.0.0.1:${dcsPorts.join()}` }
      : { hosts: dcsPorts.map((port) => `127.0.0.1:${port}`) },
    restapi: {
      listen: rest,
      connect_address: `127.0.0.1:${peerPort}`,
      ...(tls && {
        certfile: tls.serverCertFile,
        keyfile: tls.serverKeyFile,
        cafile: tls.caFile,
        verify_client: tls.verifyClient ?? 'none',
      }),
    },
    ...(tls && { ctl: { cacert: tls.caFile, certfile: tls.certFile, keyfile: tls.keyFile } }),
    bootstrap: {
      dcs: {
        ttl: 20,
        loop_wait: 1,
        retry_timeout: 3,
        postgresql: {
          use_pg_rewind: true,
          parameters: {
            max_connections: 25,
            max_worker_processes: 2,
            max_wal_senders: 5,
            max_replication_slots: 5,
          },
        },
        ...(options.standbyOf && { standby_cluster: { host: '127.0.0.1', port: options.standbyOf.pgPort } }),
        ...options.dynamic,
      },
      initdb: [{ encoding: 'UTF8' }, { locale: 'C' }, { auth: 'trust' }, 'data-checksums', 'no-sync'],
    },
    postgresql: {
      listen: database,
      connect_address: database,
      ...(options.callback !== undefined && {
        callbacks: { on_role_change: `${options.callback} ${index}`, on_stop: `${options.callback} ${index}` },
      }),
      data_dir: workspace.path(`${name}/data`),
      bin_dir: programs.postgresBin,
      pgpass: workspace.path(`${name}/pgpass`),
      authentication: { superuser: { username: 'postgres' }, replication: { username: 'postgres' } },
      pg_hba: ['local all all trust', 'host all all 127.0.0.1/32 trust', 'host replication all 127.0.0.1/32 trust'],
      basebackup: [{ checkpoint: 'fast' }, 'no-sync'],
      parameters: {
        unix_socket_directories: workspace.path(name),
        fsync: 'off',
        synchronous_commit: 'off',
        full_page_writes: 'off',
        shared_buffers: '16MB',
        min_wal_size: '32MB',
        max_wal_size: '128MB',
        jit: 'off',
        autovacuum: 'off',
      },
    },
    tags: options.tags?.[index] ?? {},
  };
}
