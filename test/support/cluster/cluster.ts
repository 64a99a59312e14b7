import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { type Etcd, startEtcd } from './etcd.js';
import type { ClusterOptions, RestTls } from './patroni-config.js';
import { createNode, setPause, type Node } from './patroni-node.js';
import { findPrograms, type Programs } from '../processes/programs.js';
import { eventually } from '../time/wait.js';
import { createWorkspace, type Workspace } from '../processes/workspace.js';

/** A real etcd, and real Patroni nodes on it, on loopback. */
export interface Cluster {
  readonly etcd: Etcd;
  readonly nodes: readonly Node[];
  /** From the call of `startCluster` until every node answered for its role. */
  readonly startUpMs: number;
  /** The node that answers 200 to `/primary` now; rejects if there is none, or more than one. */
  primary(): Promise<Node>;
  /** The first node that answers 200 to `/replica` now; rejects if there is none. */
  replica(): Promise<Node>;
  /** Resolves when there is one primary (or standby leader) and all other nodes are replicas that stream from it. */
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
    const etcd = await startEtcd(workspace, programs.etcd, { members: options.etcds ?? 1 });
    const etcdPorts = etcd.members.map(({ port }) => port);
    const tls = options.tls && (await handOver(workspace, options.tls));
    const nodes: Node[] = [];
    const count = options.nodes ?? 2;
    for (let index = 0; index < count; index += 1) {
      const settings = { index, etcdPorts, workspace, programs, options: { ...options, ...(tls && { tls }) } };
      nodes.push(await createNode(settings, nodes));
    }
    const cluster = createCluster(nodes, etcd, options, workspace, programs, () => startUpMs);
    const [first, ...others] = nodes;
    onStep(`${first?.name ?? ''}: Patroni ${options.standbyOf ? 'copies' : 'makes'} a new PostgreSQL`);
    await first?.start();
    const leads = leaderPath(options);
    await eventually(`${first?.name ?? ''} answers 200 to ${leads}`, 60_000, async () => {
      return (await first?.rest(leads))?.status === 200;
    });
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

/** What the node that leads answers 200 to, and no other. */
function leaderPath({ standbyOf }: ClusterOptions): string {
  return standbyOf === undefined ? '/primary' : '/standby-leader';
}

function createCluster(
  nodes: readonly Node[],
  etcd: Etcd,
  options: ClusterOptions,
  workspace: Workspace,
  programs: Programs,
  startUpMs: () => number,
): Cluster {
  const whoAnswers = async (path: string): Promise<readonly Node[]> => {
    const replies = await Promise.all(nodes.map((node) => node.rest(path)));
    return nodes.filter((_, index) => replies[index]?.status === 200);
  };
  const cluster: Cluster = {
    etcd,
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
      // To /replica a node with this tag always answers 503.
      const balanced = nodes.filter((_, index) => options.tags?.[index]?.['noloadbalance'] !== true);
      await eventually('one leader, and all others replicas that stream from it', deadlineMs, async () => {
        const [[leader, ...more], replicas] = await Promise.all([
          whoAnswers(leaderPath(options)),
          whoAnswers('/replica'),
        ]);
        if (leader === undefined || more.length > 0) return false;
        if (!balanced.every((node) => node === leader || replicas.includes(node))) return false;
        // Patroni 3.0.2 lets a replica that does not stream yet be promoted, and the old primary can then not come back.
        const streaming = await streamingFrom(leader);
        return nodes.every((node) => node === leader || streaming.includes(node.name));
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
    close: async () => {
      await workspace.close();
      if (options.links) await Promise.all(nodes.flatMap(({ links }) => [links.dcs.close(), links.peers.close()]));
    },
  };
  return cluster;
}

/** The names of those that stream from a node's PostgreSQL now. */
async function streamingFrom(node: Node): Promise<readonly string[]> {
  const reply = await node.rest('/patroni');
  if (reply.kind === 'failure') return [];
  const { replication = [] } = JSON.parse(reply.body) as {
    replication?: readonly { readonly application_name: string; readonly state: string }[];
  };
  return replication.filter(({ state }) => state === 'streaming').map((sender) => sender.application_name);
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
