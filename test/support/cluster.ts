import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { stringify } from 'yaml';
import { ask, type AskOptions, type ClientTls, type Reply } from './http-get.js';
import { freePort } from './ports.js';
import type { Exit, Running } from './processes.js';
import { findPrograms, type Programs } from './programs.js';
import { eventually } from './wait.js';
import { createWorkspace, type Workspace } from './workspace.js';

/** HTTPS at Patroni's REST API: its own certificate, and what a client of it needs. */
export interface RestTls extends ClientTls {
  readonly serverCertFile: string;
  readonly serverKeyFile: string;
  /** `required` also wants a client certificate for GET; `optional` for what changes something. Default `none`. */
  readonly verifyClient?: 'none' | 'optional' | 'required';
}

export interface ClusterOptions {
  /** Default 2: node1, which becomes the primary, and node2. */
  readonly nodes?: number;
  readonly tls?: RestTls;
  /** Tags of each node, in order: `[{ clonefrom: true }, { nofailover: true }]`. */
  readonly tags?: readonly Readonly<Record<string, unknown>>[];
  /** Over the quick default of `bootstrap.dcs` (ttl 20, loop_wait 1, retry_timeout 3: Patroni's minimums). */
  readonly dynamic?: Readonly<Record<string, unknown>>;
  /** Told of each step of the start: for a demo that shows what it waits for. */
  readonly onStep?: (step: string) => void;
}

/** One Patroni with its PostgreSQL. */
export interface Node {
  readonly name: string;
  readonly restPort: number;
  readonly pgPort: number;
  /** Of the Patroni process; 0 while it is stopped. */
  readonly patroniPid: number;
  /** SIGSTOP to Patroni alone: its REST API accepts connections (the kernel does) and says nothing. PostgreSQL goes on. */
  freeze(): void;
  /** SIGCONT. */
  thaw(): void;
  /** Stops Patroni as an operator would (SIGTERM): it stops PostgreSQL too, and hands over its leader key. */
  stop(): Promise<Exit>;
  /** Starts Patroni after `stop` or `kill`; resolves when its REST API answers. */
  start(): Promise<void>;
  /** Patroni alone ends (SIGKILL) and starts again; PostgreSQL goes on. Resolves when the REST API answers. */
  restart(): Promise<void>;
  /** SIGKILL to Patroni alone; PostgreSQL goes on. */
  kill(): Promise<Exit>;
  /** Pauses the cluster's automatic failover and stops PostgreSQL under a Patroni that goes on; `cluster.resume()` ends it. */
  stopPostgres(): Promise<void>;
  /** One request to Patroni's REST API, directly. Never rejects. */
  rest(path: string, options?: Omit<AskOptions, 'tls'>): Promise<Reply>;
  /** What Patroni has logged. */
  log(): string;
}

/** A real etcd, and real Patroni nodes on it, on loopback. */
export interface Cluster {
  readonly nodes: readonly Node[];
  /** From the call of `startCluster` until every node answered for its role. */
  readonly startUpMs: number;
  /** The node that answers 200 to `/primary` now; rejects if there is none, or more than one. */
  primary(): Promise<Node>;
  /** The first node that answers 200 to `/replica` now; rejects if there is none. */
  replica(): Promise<Node>;
  /** Resolves when there is one primary and all other nodes are replicas that stream from it. */
  healthy(deadlineMs?: number): Promise<void>;
  /** Makes a replica the primary; resolves with the new primary when the cluster is healthy again. */
  switchover(): Promise<Node>;
  /** Switches automatic failover off; resolves when every node knows. */
  pause(): Promise<void>;
  /** Ends `pause`; resolves when every node knows. */
  resume(): Promise<void>;
  /** Runs SQL at a port (a node's, or HAProxy's) with psql; resolves with its output. */
  sql(port: number, statement: string): Promise<string>;
  /** Process ids of all that runs for this cluster. */
  processes(): readonly number[];
  readonly dir: string;
  /** Ends everything, frozen processes too, and removes the files. */
  close(): Promise<void>;
}

/** Starts etcd and the nodes; resolves when node1 is the primary and the others are replicas. On failure nothing is left. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const startedAt = performance.now();
  const programs = findPrograms();
  const workspace = await createWorkspace(programs.owner);
  try {
    const { onStep = () => undefined } = options;
    onStep('etcd');
    const etcdPort = await startEtcd(workspace, programs);
    const tls = options.tls && (await handOver(workspace, options.tls));
    const nodes: Node[] = [];
    const count = options.nodes ?? 2;
    for (let index = 0; index < count; index += 1) {
      nodes.push(
        await createNode({ index, etcdPort, workspace, programs, options: { ...options, ...(tls && { tls }) }, nodes }),
      );
    }
    const cluster = createCluster(nodes, workspace, programs, () => startUpMs);
    const [first, ...others] = nodes;
    onStep('node1: Patroni makes a new PostgreSQL');
    await first?.start();
    await eventually('node1 is the primary', 60_000, async () => (await first?.rest('/primary'))?.status === 200);
    if (others.length > 0) onStep(`${others.map(({ name }) => name).join(', ')}: Patroni copies it`);
    await Promise.all(others.map((node) => node.start()));
    await cluster.healthy(60_000);
    const startUpMs = Math.round(performance.now() - startedAt);
    return cluster;
  } catch (error) {
    const logs = workspace.logs();
    await workspace.close();
    throw new Error(`the cluster did not start: ${(error as Error).message}\n${logs}`, { cause: error });
  }
}

function createCluster(
  nodes: readonly Node[],
  workspace: Workspace,
  programs: Programs,
  startUpMs: () => number,
): Cluster {
  const whoAnswers = async (path: string): Promise<readonly Node[]> => {
    const replies = await Promise.all(nodes.map((node) => node.rest(path)));
    return nodes.filter((_, index) => replies[index]?.status === 200);
  };
  const cluster: Cluster = {
    nodes,
    dir: workspace.dir,
    get startUpMs() {
      return startUpMs();
    },
    primary: async () => {
      const [primary, ...more] = await whoAnswers('/primary');
      if (primary === undefined || more.length > 0) throw new Error(`${primary ? 'more than one' : 'no'} primary`);
      return primary;
    },
    replica: async () => {
      const [replica] = await whoAnswers('/replica');
      if (replica === undefined) throw new Error('no replica');
      return replica;
    },
    healthy: async (deadlineMs = 40_000) => {
      const others = nodes.length - 1;
      await eventually('one primary, and all others replicas that stream from it', deadlineMs, async () => {
        const [[primary, ...more], replicas] = await Promise.all([whoAnswers('/primary'), whoAnswers('/replica')]);
        if (primary === undefined || more.length > 0 || replicas.length !== others) return false;
        // Patroni 3.0.2 lets a replica that does not stream yet be promoted, and the old primary can then not come back.
        const reply = await primary.rest('/patroni');
        return reply.kind === 'reply' && reply.body.split('"state": "streaming"').length - 1 === others;
      });
    },
    switchover: async () => {
      await cluster.healthy();
      const [from, to] = await Promise.all([cluster.primary(), cluster.replica()]);
      const body = JSON.stringify({ leader: from.name, candidate: to.name });
      // Patroni refuses (412) while it has not yet seen that the replica is healthy; asked again, it does it.
      await eventually(`Patroni switches over from ${from.name} to ${to.name}`, 40_000, async () => {
        const reply = await from.rest('/switchover', { method: 'POST', body, deadlineMs: 30_000 });
        if (reply.status === 200 || (await to.rest('/primary')).status === 200) return true;
        throw new Error(reply.kind === 'reply' ? `${reply.status} ${reply.body}` : reply.reason);
      });
      await cluster.healthy();
      return to;
    },
    pause: () => setPause(nodes, true),
    resume: () => setPause(nodes, false),
    sql: async (port, statement) => {
      const uri = `postgresql://postgres@127.0.0.1:${port}/postgres?connect_timeout=5`;
      const out = await workspace.run('psql', join(programs.postgresBin, 'psql'), ['-XAtqc', statement, uri]);
      return out.trim();
    },
    processes: () => workspace.processes(),
    close: () => workspace.close(),
  };
  return cluster;
}

async function startEtcd(workspace: Workspace, { etcd }: Programs): Promise<number> {
  const [client, peer] = [await freePort(), await freePort()];
  const url = (port: number): string => `http://127.0.0.1:${port}`;
  const args = {
    name: 'etcd',
    'data-dir': workspace.path('etcd'),
    'listen-client-urls': url(client),
    'advertise-client-urls': url(client),
    'listen-peer-urls': url(peer),
    'initial-advertise-peer-urls': url(peer),
    'initial-cluster': `etcd=${url(peer)}`,
  };
  await workspace.start(
    'etcd',
    etcd,
    Object.entries(args).map(([name, value]) => `--${name}=${value}`),
  );
  await eventually('etcd is healthy', 15_000, async () => (await ask(client, '/health')).status === 200);
  return client;
}

/** Copies of the certificate files that PostgreSQL's account may read. */
async function handOver(workspace: Workspace, tls: RestTls): Promise<RestTls> {
  const copy = (name: string, file: string): Promise<string> => workspace.write(name, readFileSync(file, 'utf8'));
  return {
    ...tls,
    caFile: await copy('ca.pem', tls.caFile),
    serverCertFile: await copy('rest.pem', tls.serverCertFile),
    serverKeyFile: await copy('rest.key', tls.serverKeyFile),
    ...(tls.certFile !== undefined && { certFile: await copy('client.pem', tls.certFile) }),
    ...(tls.keyFile !== undefined && { keyFile: await copy('client.key', tls.keyFile) }),
  };
}

interface NodePlan {
  readonly index: number;
  readonly etcdPort: number;
  readonly workspace: Workspace;
  readonly programs: Programs;
  readonly options: ClusterOptions;
  /** All nodes, once they are made: pausing concerns every one. */
  readonly nodes: readonly Node[];
}

async function createNode(plan: NodePlan): Promise<Node> {
  const { workspace, programs, options, nodes } = plan;
  const name = `node${plan.index + 1}`;
  const [restPort, pgPort] = [await freePort(), await freePort()];
  const dataDir = workspace.path(`${name}/data`);
  await workspace.mkdir(name);
  const config = await workspace.write(`${name}.yml`, stringify(patroniConfig(plan, name, restPort, pgPort)));
  let patroni: Running | undefined;
  const needed = (): Running => {
    if (patroni?.alive()) return patroni;
    throw new Error(`${name}: Patroni is not running`);
  };

  const node: Node = {
    name,
    restPort,
    pgPort,
    get patroniPid() {
      return patroni?.alive() ? patroni.pid : 0;
    },
    freeze: () => {
      needed().signal('SIGSTOP');
    },
    thaw: () => {
      needed().signal('SIGCONT');
    },
    stop: () => needed().stop(30_000),
    start: async () => {
      if (patroni?.alive()) throw new Error(`${name}: Patroni is running already`);
      patroni = await workspace.start(name, programs.patroni, [config]);
      await eventually(`${name}: Patroni's REST API answers`, 20_000, async () => {
        needed();
        return (await node.rest('/patroni')).kind === 'reply';
      });
    },
    kill: () => {
      const running = needed();
      running.signal('SIGKILL');
      return running.exit;
    },
    restart: async () => {
      await node.kill();
      await node.start();
    },
    stopPostgres: async () => {
      await setPause(nodes, true);
      const postmaster = Number(readFileSync(join(dataDir, 'postmaster.pid'), 'utf8').split('\n')[0]);
      await workspace.run('pg_ctl', join(programs.postgresBin, 'pg_ctl'), ['stop', '-m', 'fast', '-w', '-D', dataDir]);
      await eventually(
        `${name}: Patroni sees that PostgreSQL (process ${postmaster}) is not running`,
        20_000,
        async () => {
          const reply = await node.rest('/health');
          return reply.kind === 'reply' && reply.status === 503;
        },
      );
    },
    rest: (path, more = {}) => ask(restPort, path, { ...more, tls: options.tls }),
    log: () => patroni?.output() ?? '',
  };
  return node;
}

/** By Patroni's own switch, `PATCH /config`; then waits until each running node has taken notice. */
async function setPause(nodes: readonly Node[], pause: boolean): Promise<void> {
  const running = nodes.filter(({ patroniPid }) => patroniPid !== 0);
  await eventually(pause ? 'the cluster can be paused' : 'the cluster can be resumed', 20_000, async () => {
    const body = JSON.stringify({ pause });
    const replies = await Promise.all(
      running.slice(0, 1).map((node) => node.rest('/config', { method: 'PATCH', body })),
    );
    return replies.every(({ status }) => status === 200);
  });
  await eventually(`every node is ${pause ? 'paused' : 'resumed'}`, 20_000, async () => {
    const replies = await Promise.all(running.map((node) => node.rest('/patroni')));
    return replies.every((reply) => reply.kind === 'reply' && reply.body.includes('"pause": true') === pause);
  });
}

/** Quick rather than durable: a cluster that lives for a minute needs no fsync and little memory. */
function patroniConfig(plan: NodePlan, name: string, restPort: number, pgPort: number): unknown {
  const { index, etcdPort, workspace, programs, options } = plan;
  const { tls } = options;
  const rest = `127.0.0.1:${restPort}`;
  const database = `127.0.0.1:${pgPort}`;
  return {
    scope: 'patroniglue',
    name,
    etcd3: { host: `127.0.0.1:${etcdPort}` },
    restapi: {
      listen: rest,
      connect_address: rest,
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
        ...options.dynamic,
      },
      initdb: [{ encoding: 'UTF8' }, { locale: 'C' }, { auth: 'trust' }, 'data-checksums', 'no-sync'],
    },
    postgresql: {
      listen: database,
      connect_address: database,
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
