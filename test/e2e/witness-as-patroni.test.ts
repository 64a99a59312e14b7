import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Cluster, startCluster } from '../support/cluster/cluster.js';
import type { ClusterOptions } from '../support/cluster/patroni-config.js';
import type { Node } from '../support/cluster/patroni-node.js';
import { untilWitnessAgrees, witnessOf } from '../support/cluster/witness.js';
import { skipReason } from '../support/processes/programs.js';
import { type Service, startService } from '../support/processes/service.js';
import { eventually } from '../support/time/wait.js';

const skip = await skipReason();

/** Every route that the witness answers, with queries that make a difference at one of the nodes below. */
const TARGETS = [
  '/primary',
  '/leader',
  '/standby-leader',
  '/replica',
  '/replica?lag=10MB',
  '/replica?lag=14MB',
  '/replica?tag_zone=a',
  '/replica?tag_zone=b',
  '/replica?tag_clonefrom=true',
  '/read-only',
  '/read-only?tag_zone=a',
  '/read-only?tag_zone=b',
  '/sync',
  '/sync?lag=10MB',
  '/async',
  '/async?lag=10MB',
  '/read-only-sync',
  '/read-only-sync?tag_clonefrom=true',
  '/quorum',
  '/read-only-quorum',
  '/health',
  '/health?tag_flag=false',
  '/health?tag_number=42',
];

/** Of a replica that wants no load. */
const TAGS = { noloadbalance: true, nofailover: true, nosync: true, flag: false, number: 42 };

const STARTUP_PROCESS = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'startup'";
const WRITE_12_MB =
  "SELECT count(pg_logical_emit_message(false, 'x', repeat('x', 1024 * 1024))) FROM generate_series(1, 12)";

async function startBeside(cluster: Cluster, node: Node): Promise<Service> {
  return startService({
    config: {
      backend: { host: '127.0.0.1', port: node.restPort, routes: TARGETS },
      witness: witnessOf(cluster, node),
      cache: { ttl: 4, interval: 1, learn: 100 },
    },
    flags: [],
  });
}

async function configure(node: Node, settings: object): Promise<void> {
  await eventually(`${node.name} takes the settings ${JSON.stringify(settings)}`, 20_000, async () => {
    return (await node.rest('/config', { method: 'PATCH', body: JSON.stringify(settings) })).status === 200;
  });
}

async function untilStatus(node: Node, path: string, status: number): Promise<void> {
  await eventually(`${node.name} answers ${status} to ${path}`, 20_000, async () => {
    return (await node.rest(path)).status === status;
  });
}

/** By target: `503`, or where the witness answers: `200 by the witness`. */
async function answersOf(service: Service): Promise<Record<string, string>> {
  const answers: [string, string][] = [];
  for (const target of TARGETS) {
    const reply = await service.get(target);
    if (reply.kind === 'failure') throw new Error(`${target}: ${reply.reason}`);
    const by = (reply.headers['cache-status'] ?? '').includes('detail=witness') ? ' by the witness' : '';
    answers.push([target, `${reply.status}${by}`]);
  }
  return Object.fromEntries(answers);
}

/**
 * True if answers are as expected. Before 4.1, the keys do not say what a replica has replayed. So where a replica is asked for
 * its lag, the witness is silent, and the reply is 503.
 */
function isAsExpected(
  answers: Record<string, string>,
  expected: Record<string, string>,
  tellsReplay: boolean,
): boolean {
  return TARGETS.every((target) => {
    const isSilent = !tellsReplay && target.includes('lag=') && answers[target] === '503';
    return isSilent || answers[target] === expected[target];
  });
}

/** Freezes the APIs of some nodes; the witness must say of each what its Patroni has said just before. */
async function mustAgree(
  nodes: readonly Node[],
  serviceOf: (node: Node) => Service,
  tellsReplay: boolean,
): Promise<void> {
  await Promise.all(nodes.map((node) => untilWitnessAgrees(serviceOf(node))));
  const expected = await Promise.all(
    nodes.map(async (node) => {
      const answers: [string, string][] = [];
      for (const target of TARGETS) answers.push([target, `${(await node.rest(target)).status ?? 0} by the witness`]);
      return Object.fromEntries(answers);
    }),
  );
  for (const node of nodes) node.toggleApi();
  try {
    for (const [index, node] of nodes.entries()) {
      let last: Record<string, string> = {};
      // its API may have answered polls until now, and evidence in etcd is up to loop_wait old
      await eventually(`the witness of ${node.name} answers`, 10_000, async () => {
        last = await answersOf(serviceOf(node));
        return isAsExpected(last, expected[index] ?? {}, tellsReplay);
      }).catch(() => {
        assert.deepEqual(last, expected[index], node.name);
      });
    }
  } finally {
    for (const node of nodes) node.toggleApi();
    await Promise.all(
      nodes.map((node) =>
        eventually(`${node.name} answers`, 10_000, async () => (await node.rest('/liveness')).kind === 'reply'),
      ),
    );
  }
}

function agreement(name: string, options: ClusterOptions, [major, minor]: readonly [number, number]): void {
  describe(`${name}: the witness says what Patroni has said`, { skip }, () => {
    let cluster: Cluster;
    let services: readonly Service[] = [];
    let [primary, standby, tagged]: [Node, Node, Node] = [] as never;
    const tellsReplay = major > 4 || (major === 4 && minor >= 1);
    const serviceOf = (node: Node): Service => services[cluster.nodes.indexOf(node)] ?? assert.fail();

    before(async () => {
      cluster = await startCluster({
        ...options,
        nodes: 3,
        hangable: true,
        tags: [{ zone: 'a' }, { clonefrom: true, zone: 'b' }, TAGS],
        dynamic: { synchronous_mode: true },
      });
      [primary, standby, tagged] = cluster.nodes as [Node, Node, Node];
      services = await Promise.all(cluster.nodes.map((node) => startBeside(cluster, node)));
    });
    after(async () => {
      await Promise.all(services.map((service) => service.close()));
      await cluster.close();
    });

    const scenario = (title: string, body: () => Promise<void>): void => {
      it(title, async () => {
        try {
          await body();
        } catch (error) {
          const logs = [
            ...cluster.nodes.map((node) => [node.name, node.log()] as const),
            ...services.map((service, index) => [`patroniglue at node${index + 1}`, service.output()] as const),
          ].map(([who, log]) => `--- ${who}\n${log.trimEnd().split('\n').slice(-15).join('\n')}`);
          throw new Error([(error as Error).message, ...logs].join('\n'), { cause: error });
        }
      });
    };

    scenario('of a primary, a synchronous standby, and a replica with the tag noloadbalance', async () => {
      await untilStatus(standby, '/sync', 200);
      await untilStatus(tagged, '/replica', 503);
      await mustAgree(cluster.nodes, serviceOf, tellsReplay);
    });

    scenario('of a synchronous standby that lags', async () => {
      const startup = Number(await cluster.sql(standby.pgPort, STARTUP_PROCESS));
      process.kill(startup, 'SIGSTOP');
      try {
        await cluster.sql(primary.pgPort, WRITE_12_MB);
        await untilStatus(standby, '/sync?lag=10MB', 503);
        await untilStatus(standby, '/sync?lag=14MB', 200);
        await mustAgree([standby], serviceOf, tellsReplay);
      } finally {
        process.kill(startup, 'SIGCONT');
      }
      await untilStatus(standby, '/sync?lag=0', 200);
    });

    scenario('of each node of a paused cluster', async () => {
      await cluster.pause();
      try {
        await mustAgree(cluster.nodes, serviceOf, tellsReplay);
      } finally {
        await cluster.resume();
      }
    });

    if (major >= 4) {
      scenario('of a quorum standby', async () => {
        await configure(primary, { synchronous_mode: 'quorum' });
        await untilStatus(standby, '/quorum', 200);
        await mustAgree([primary, standby], serviceOf, tellsReplay);
      });
    }

    scenario('of an asynchronous replica', async () => {
      await configure(primary, { synchronous_mode: null });
      await untilStatus(standby, '/async', 200);
      await mustAgree([primary, standby], serviceOf, tellsReplay);
    });

    scenario("of a standby cluster's leader", async () => {
      const second = await startCluster({
        ...options,
        ...{ nodes: 1, hangable: true, namePrefix: 'standby', standbyOf: primary },
      });
      try {
        const [leader] = second.nodes;
        assert.ok(leader);
        const service = await startBeside(second, leader);
        try {
          await untilStatus(leader, '/standby-leader', 200);
          await mustAgree([leader], () => service, tellsReplay);
        } finally {
          await service.close();
        }
      } finally {
        await second.close();
      }
    });
  });
}

agreement('The installed Patroni', {}, [3, 0]); // or later: then it says more than it must

const source = process.env['PATRONI_SOURCE'] ?? '';
if (source !== '') {
  const patroniSource = resolve(source);
  const versionFile = readFileSync(join(patroniSource, 'patroni', 'version.py'), 'utf8');
  const [, version = '', major, minor] = /'((\d+)\.(\d+)\.[^']*)'/.exec(versionFile) ?? [];
  agreement(`Patroni ${version} of ${patroniSource}`, { patroniSource }, [Number(major), Number(minor)]);
}
