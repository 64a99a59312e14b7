import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { type Socket, connect } from 'node:net';
import { resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse, stringify } from 'yaml';
import { type Sample, outcomeOf, startSteadyChecks } from '../support/clients/checks.js';
import { openRaw } from '../support/clients/raw-connection.js';
import { type Deployment, startDeployment } from '../support/cluster/deployment.js';
import type { ServerState } from '../support/cluster/haproxy.js';
import type { ClusterOptions } from '../support/cluster/patroni-config.js';
import type { Node } from '../support/cluster/patroni-node.js';
import { witnessOf } from '../support/cluster/witness.js';
import type { Worker } from '../support/processes/child.js';
import { run } from '../support/processes/processes.js';
import { skipReason } from '../support/processes/programs.js';
import { type ConfigObject, type Service, startService } from '../support/processes/service.js';
import { nowMs } from '../support/time/monotonic.js';
import { always, eventually } from '../support/time/wait.js';

/** How long a client's statement runs. The APIs are frozen meanwhile. */
const SESSION_S = 30;

/** Long enough that a poll in each interval would show. */
const COUNT_AFTER_MS = 15_000;

const CHECKS_A_SECOND = 100;

/** Without a word a client holds a worker of Patroni's: from 4.1.1 on it has so many. */
const WORKERS = 5;

/** What a freeze of so many seconds may cost Patroni in connections, with a witness or without one: see freeze.test.ts. */
const MOST_CONNECTIONS = 16;

/** As the example has it. A busy machine delays single checks, and HAProxy's own time-out for one is 1 s. */
const HAPROXY_INTER_MS = 3000;

/** A way to make the API of a Patroni stand still, while its HA loop goes on. */
interface Way {
  readonly cluster: ClusterOptions;
  /** Resolves, when the API is frozen, with what thaws it. */
  readonly freeze: (node: Node) => Promise<() => void>;
}

const toggled: Way = {
  cluster: { hangable: true },
  freeze: async (node) => {
    node.toggleApi();
    await untilFrozen(node);
    return () => {
      node.toggleApi();
    };
  },
};

const source = process.env['PATRONI_SOURCE'] ?? '';

const bySilentClients: Way = {
  cluster: { patroniSource: resolve(source) },
  freeze: async (node) => {
    const silent: Socket[] = [];
    for (let client = 0; client < WORKERS; client += 1) {
      const socket = connect(node.restPort, '127.0.0.1');
      await once(socket, 'connect');
      silent.push(socket);
    }
    await untilFrozen(node);
    return () => {
      for (const socket of silent) socket.destroy();
    };
  },
};

async function untilFrozen(node: Node): Promise<void> {
  await eventually(`the API of ${node.name} is frozen`, 10_000, async () => {
    return (await node.rest('/liveness', { deadlineMs: 300 })).kind === 'failure';
  });
}

/** Whether a reply comes from the witness. */
async function isByWitness(service: Service, path: string): Promise<boolean> {
  const reply = await service.get(path);
  return reply.kind === 'reply' && (reply.headers['cache-status'] ?? '').includes('detail=witness-etcd3');
}

/** Connections to a port that the kernel has made, seen from the side of the port. */
async function connectionsTo(port: number): Promise<number> {
  const filter = ['state', 'connected', 'exclude', 'time-wait', 'exclude', 'syn-recv', `( sport = :${port} )`];
  const lines = await run('ss', 'ss', ['-Htan', ...filter], { env: {} });
  return lines.split('\n').filter((line) => line !== '').length;
}

function frozenApis(name: string, way: Way, skip: string | false): void {
  describe(`${name}: the witness, while the APIs of all nodes are frozen and their HA loops are not`, { skip }, () => {
    let deployment: Deployment;
    let [primary, replica]: [Node, Node] = [] as never;
    let session: Promise<string>;
    let checks: readonly Worker<readonly Sample[]>[] = [];
    let thaw: (() => void)[] = [];
    let statesBefore: Record<string, ServerState>;
    let frozenMs: number;

    const serviceOf = (node: Node): Service =>
      deployment.services[deployment.cluster.nodes.indexOf(node)] ?? assert.fail();
    const behaviour = (title: string, body: (diagnostic: (text: string) => void) => Promise<void>): void => {
      it(title, (t) =>
        deployment.explained(() =>
          body((text) => {
            t.diagnostic(text);
          }),
        ),
      );
    };

    before(async () => {
      const haproxy = { interMs: HAPROXY_INTER_MS };
      deployment = await startDeployment({ cluster: way.cluster, agents: true, witness: true, haproxy });
      const { cluster, services } = deployment;
      await deployment.explained(async () => {
        primary = await cluster.primary();
        replica = await cluster.replica();
        for (const [server, node] of [
          ['primary', primary],
          ['replica', replica],
        ] as const) {
          await eventually(`${server}/${node.name} is up`, 20_000, async () => {
            return (await deployment.haproxy.serverStates())[`${server}/${node.name}`]?.status === 'UP';
          });
        }
        statesBefore = await deployment.haproxy.serverStates();
        const load = { perSecond: CHECKS_A_SECOND };
        checks = await Promise.all([
          startSteadyChecks({ ...load, ports: [serviceOf(primary).port], routes: ['/primary', '/read-only'] }),
          startSteadyChecks({ ...load, ports: [serviceOf(replica).port], routes: ['/replica', '/read-only'] }),
        ]);
        const statement = `SELECT 'still the same session' FROM pg_sleep(${SESSION_S})`;
        session = cluster.sql(deployment.haproxy.primaryPort, statement);
        session.catch(() => undefined); // it is awaited later
        thaw = await Promise.all(cluster.nodes.map(way.freeze));
        frozenMs = nowMs();
        await Promise.all(
          services.map((service) =>
            eventually('the witness answers', 20_000, () => isByWitness(service, '/read-only')),
          ),
        );
      });
    });
    after(async () => {
      await Promise.all(checks.map((worker) => worker.close()));
      for (const goOn of thaw.splice(0)) goOn();
      await deployment.close();
    });

    behaviour("tells HAProxy's agent that a primary is up", async () => {
      const { servers, cluster } = deployment;
      const { agentPort = 0 } = servers[cluster.nodes.indexOf(primary)] ?? {};
      await eventually('the witness answers', 20_000, () => isByWitness(serviceOf(primary), '/primary'));
      const agent = await openRaw(agentPort, false);
      agent.send('/primary\n');
      await agent.ended;
      assert.equal(agent.text(), 'up ready 100%\n');
    });

    behaviour('makes the body in the spelling of Patroni, and says whose it is', async () => {
      const reply = await serviceOf(primary).get('/primary');
      assert.ok(reply.kind === 'reply');
      assert.match(reply.body, /"role": "(?:primary|master)"/);
      assert.match(reply.body, /"witness": \{"source": "etcd3", "says": "the leader key names this node"/);
    });

    behaviour('costs Patroni no more connections than a freeze without a witness', async (diagnostic) => {
      await sleep(Math.max(0, frozenMs + COUNT_AFTER_MS - nowMs())); // the passing of time is what is tested
      const connections = await connectionsTo(primary.restPort);
      diagnostic(`${connections} connections to Patroni after ${((nowMs() - frozenMs) / 1000).toFixed(0)} s`);
      assert.ok(connections <= WORKERS + MOST_CONNECTIONS, `${connections} connections to Patroni`);
    });

    behaviour('answers without a gap when the configuration is loaded again', async () => {
      const service = serviceOf(primary);
      for (const interval of [1, 0.8]) {
        const config = parse(await readFile(service.configFile, 'utf8')) as ConfigObject;
        await writeFile(service.configFile, stringify({ ...config, cache: { ...config['cache'], interval } }));
        const reloads = (service.output().match(/reload/gi) ?? []).length;
        service.signal('SIGHUP');
        await eventually('it is loaded', 10_000, () => (service.output().match(/reload/gi) ?? []).length > reloads);
        await always('/primary is not 503', 2500, async () => (await service.get('/primary')).status !== 503);
        assert.ok(await isByWitness(service, '/primary'));
      }
    });

    behaviour(
      'answers for a service that starts now if its configuration has the name of the node',
      async (diagnostic) => {
        const { cluster } = deployment;
        const backend = { host: '127.0.0.1', port: primary.restPort };
        const { name, ...nameless } = witnessOf(cluster, primary);
        const [named, unnamed] = await Promise.all([
          startService({ config: { backend, witness: { ...nameless, name } } }),
          startService({ config: { backend, witness: nameless } }),
        ]);
        const startedMs = nowMs();
        try {
          await eventually('200 by the witness', 10_000, async () => {
            return (await named.get('/primary')).status === 200 && (await isByWitness(named, '/primary'));
          });
          diagnostic(`200 after ${Math.round(nowMs() - startedMs)} ms`);
          await always('not 200 without the name', 2500, async () => (await unnamed.get('/primary')).status !== 200);
        } finally {
          await Promise.all([named.close(), unnamed.close()]);
        }
      },
    );

    behaviour('keeps every check at 200, every server up, and the session of a client', async (diagnostic) => {
      const { haproxy, services } = deployment;
      assert.equal(await session, 'still the same session');
      const lastedMs = nowMs() - frozenMs;
      for (const goOn of thaw.splice(0)) goOn();
      const thawedMs = nowMs();
      await Promise.all(
        services.map((service) =>
          eventually('Patroni answers again', 10_000, async () => !(await isByWitness(service, '/read-only'))),
        ),
      );
      diagnostic(`${(lastedMs / 1000).toFixed(1)} s of freeze`);
      diagnostic(`the witness ended ${Math.round(nowMs() - thawedMs)} ms after the thaw`);
      const samples = (await Promise.all(checks.map((worker) => worker.end()))).flat();
      checks = [];
      const others = samples.filter(({ status }) => status !== 200);
      diagnostic(`${samples.length} checks, ${others.length} of them not 200`);
      assert.ok(samples.length > CHECKS_A_SECOND * SESSION_S, `${samples.length} checks`);
      assert.deepEqual([...new Set(others.map(outcomeOf))], []);
      const states = await haproxy.serverStates();
      for (const server of [`primary/${primary.name}`, `replica/${replica.name}`]) {
        assert.equal(states[server]?.downs, statesBefore[server]?.downs, server);
        assert.equal(states[server]?.status, 'UP', server);
      }
    });
  });
}

const skip = await skipReason();

frozenApis('The installed Patroni', toggled, skip);
frozenApis('Patroni from its source', bySilentClients, source === '' ? 'no PATRONI_SOURCE' : skip);
