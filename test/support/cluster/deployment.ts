import { startCluster, type Cluster } from './cluster.js';
import { startHAProxy, type HAProxy, type HAProxyOptions } from './haproxy.js';
import type { ClusterOptions } from './patroni-config.js';
import { untilWitnessAgrees, witnessOf } from './witness.js';
import { freePort } from '../processes/ports.js';
import { startService, type ConfigObject, type Service, type ServiceOptions } from '../processes/service.js';

export interface DeploymentOptions {
  readonly cluster?: ClusterOptions;
  /** Over the sections that say where Patroni and patroniglue are, which are put in. */
  readonly config?: ConfigObject;
  readonly serviceTls?: ServiceOptions['tls'];
  readonly haproxy?: Omit<HAProxyOptions, 'servers'>;
  /** Agent checks as well: runs examples/haproxy-agent.cfg. */
  readonly agents?: boolean;
  /** Each service asks etcd and its PostgreSQL as well. */
  readonly witness?: boolean;
}

/** All that an example for HAProxy speaks of: Patroni nodes, a patroniglue on each, and HAProxy that checks through them. */
export interface Deployment {
  readonly cluster: Cluster;
  /** In the order of `cluster.nodes`. */
  readonly services: readonly Service[];
  readonly haproxy: HAProxy;
  /** What HAProxy checks. */
  readonly servers: HAProxyOptions['servers'];
  /** Resolves when Patroni is healthy and HAProxy has up what Patroni says; resolves with those servers. */
  settled(): Promise<readonly string[]>;
  /** Wraps the body of a test: when it fails, the message tells what each process has written last. */
  explained(body: () => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

/** Starts all of it; on failure nothing is left. */
export async function startDeployment(options: DeploymentOptions = {}): Promise<Deployment> {
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(closers.splice(0).map((closer) => closer()));
  };
  const opened = <T extends { close(): Promise<void> }>(resource: T): T => {
    closers.push(() => resource.close());
    return resource;
  };
  try {
    const cluster = opened(await startCluster(options.cluster));
    const glued = await Promise.all(
      cluster.nodes.map(async (node) => {
        const { config = {}, serviceTls: tls } = options;
        const backend = { host: '127.0.0.1', port: node.restPort, ...config['backend'] };
        const agent = options.agents && { port: await freePort(), ...config['agent'] };
        const witness = options.witness && { ...witnessOf(cluster, node), ...config['witness'] };
        const sections = { ...config, backend, ...(agent && { agent }), ...(witness && { witness }) };
        const service = opened(await startService({ config: sections, tls }));
        if (witness) await untilWitnessAgrees(service);
        return { service, agentPort: agent ? agent.port : undefined };
      }),
    );
    const services = glued.map(({ service }) => service);
    const servers = cluster.nodes.map(({ name, pgPort }, index) => ({
      name,
      port: pgPort,
      checkPort: services[index]?.port ?? 0,
      agentPort: glued[index]?.agentPort,
    }));
    const haproxy = opened(await startHAProxy({ ...options.haproxy, servers }));
    return {
      cluster,
      services,
      servers,
      haproxy,
      settled: async () => {
        await cluster.healthy();
        const primary = await cluster.primary();
        const expected = cluster.nodes.map((node) => `${node === primary ? 'primary' : 'replica'}/${node.name}`);
        await haproxy.untilUp(expected);
        return expected.sort();
      },
      explained: async (body) => {
        try {
          await body();
        } catch (error) {
          const logs = [
            ...cluster.nodes.map((node) => [node.name, node.log()] as const),
            ...services.map((service, index) => [`patroniglue at node${index + 1}`, service.output()] as const),
            ['haproxy', haproxy.log()] as const,
          ].map(([name, log]) => `--- ${name}\n${log.trimEnd().split('\n').slice(-30).join('\n')}`);
          throw new Error([(error as Error).message, ...logs].join('\n'), { cause: error });
        }
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
