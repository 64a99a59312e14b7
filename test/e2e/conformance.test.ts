import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Endpoint } from '../tools/conformance/ask.js';
import { compare } from '../tools/conformance/compare.js';
import { allowedLines, countLine, table } from '../tools/conformance/table.js';
import { watch } from '../tools/conformance/watch.js';
import { startCluster, type Cluster } from '../support/cluster/cluster.js';
import type { ClusterOptions } from '../support/cluster/patroni-config.js';
import type { Node } from '../support/cluster/patroni-node.js';
import { skipReason } from '../support/processes/programs.js';
import { startService, type Service } from '../support/processes/service.js';
import { eventually } from '../support/time/wait.js';

const skip = await skipReason();

/** Of a replica that wants no load: every type of value that a tag can have. */
const TAGS = {
  note: 'Tom & Jerry',
  noloadbalance: true,
  nofailover: true,
  nosync: true,
  flag: false,
  number: 42,
  ratio: 1.5,
  größe: 'ß=%',
};

/** Not Patroni's `loop_wait`, 1 s: polls that keep step with it may see its clock tick late time and again. */
const INTERVAL_MS = 700;
/** For an interval while the machine has other things to do as well: etcd, Patroni, PostgreSQL, both askers. */
const SLACK_MS = 1500;

const STARTUP_PROCESS = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'startup'";
const WRITE_12_MB =
  "SELECT count(pg_logical_emit_message(false, 'x', repeat('x', 1024 * 1024))) FROM generate_series(1, 12)";

const seconds = (ms: number): number => ms / 1000;
const loopback = (port: number): Endpoint => ({ host: '127.0.0.1', port });

/** patroniglue at a node, until `body` is through. */
async function withService<T>(
  node: Node,
  body: (service: Service) => Promise<T>,
  routes?: readonly string[],
): Promise<T> {
  const interval = seconds(INTERVAL_MS);
  const service = await startService({
    config: {
      backend: { host: '127.0.0.1', port: node.restPort, ...(routes && { routes }) },
      cache: { ttl: 4, interval, 'slow-ttl': 4, 'slow-interval': interval, learn: 1000 },
    },
    flags: [],
  });
  try {
    return await body(service);
  } finally {
    await service.close();
  }
}

/** Asks a node and its patroniglue everything; fails with the table of what is different. */
async function mustConform(t: TestContext, node: Node): Promise<void> {
  const comparison = await withService(node, ({ port }) =>
    compare({ patroni: loopback(node.restPort), patroniglue: loopback(port), concurrency: 3, pauseMs: 0 }),
  );
  t.diagnostic(countLine(comparison));
  for (const line of allowedLines(comparison)) t.diagnostic(line);
  const { differences } = comparison;
  assert.equal(differences.length, 0, `${countLine(comparison)}\n${table({ rows: differences })}`);
}

async function untilStatus(node: Node, path: string, status: number): Promise<void> {
  await eventually(`${node.name} answers ${status} to ${path}`, 20_000, async () => {
    return (await node.rest(path)).status === status;
  });
}

async function configure(node: Node, settings: object): Promise<void> {
  await eventually(`${node.name} takes the settings ${JSON.stringify(settings)}`, 20_000, async () => {
    return (await node.rest('/config', { method: 'PATCH', body: JSON.stringify(settings) })).status === 200;
  });
}

/** Samples two nodes and their patroniglues while `body` runs, and until all agree again. */
async function watched(
  t: TestContext,
  nodes: readonly Node[],
  targets: readonly string[],
  body: () => Promise<void>,
): Promise<void> {
  const [node, ...others] = nodes;
  if (node !== undefined) {
    return withService(
      node,
      ({ port }) => watchOne(t, { node, port, targets }, () => watched(t, others, targets, body)),
      targets,
    );
  }
  await body();
  await sleep(INTERVAL_MS + SLACK_MS); // so that what differs now is seen to differ for too long
}

async function watchOne(
  t: TestContext,
  { node, port, targets }: { readonly node: Node; readonly port: number; readonly targets: readonly string[] },
  body: () => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  for (const target of targets) {
    await eventually(`patroniglue at ${node.name} knows ${target}`, 10_000, async () => {
      const [theirs, ours] = await Promise.all([node.rest(target), fetch(`http://127.0.0.1:${port}${target}`)]);
      return theirs.status === ours.status && ours.headers.has('age');
    });
  }
  const patroni = loopback(node.restPort);
  const found = watch({ patroni, patroniglue: loopback(port), targets, everyMs: 20, signal: stop.signal });
  try {
    await body();
  } finally {
    stop.abort();
  }
  for (const { target, patroni, patroniglue, longestDifferenceMs, slowestMs } of await found) {
    const turns = `Patroni ${patroni.join(' ')}, patroniglue ${patroniglue.join(' ')}`;
    const line = `${node.name} ${target}: they differed for ${longestDifferenceMs} ms at most (${turns}; slowest answer of Patroni ${slowestMs} ms)`;
    t.diagnostic(line);
    assert.ok(longestDifferenceMs <= INTERVAL_MS + slowestMs + SLACK_MS, line);
    assert.ok(target !== '/primary' || patroni.length > 1, `${line}: no switchover was seen`);
  }
}

function conformance(name: string, options: ClusterOptions, isQuorumKnown: boolean): void {
  describe(`${name} and patroniglue answer alike`, { skip }, () => {
    let cluster: Cluster;
    let [primary, standby, tagged]: [Node, Node, Node] = [] as never;

    before(async () => {
      cluster = await startCluster({
        ...options,
        nodes: 3,
        tags: [{ zone: 'a' }, { clonefrom: true }, TAGS],
        dynamic: { synchronous_mode: true },
      });
      [primary, standby, tagged] = cluster.nodes as [Node, Node, Node];
    });
    after(() => cluster.close());

    const scenario = (title: string, body: (t: TestContext) => Promise<void>): void => {
      it(title, async (t) => {
        try {
          await body(t);
        } catch (error) {
          const logs = cluster.nodes.map((node) => `--- ${node.name}\n${node.log().split('\n').slice(-20).join('\n')}`);
          throw new Error([(error as Error).message, ...logs].join('\n'), { cause: error });
        }
      });
    };

    scenario('at a primary', async (t) => {
      await untilStatus(primary, '/primary', 200);
      await mustConform(t, primary);
    });

    scenario('at a synchronous standby', async (t) => {
      await untilStatus(standby, '/sync', 200);
      await mustConform(t, standby);
    });

    scenario('at a synchronous standby that lags', async (t) => {
      // Patroni would end a pg_wal_replay_pause(); a process that is stopped it does not notice.
      const startup = Number(await cluster.sql(standby.pgPort, STARTUP_PROCESS));
      process.kill(startup, 'SIGSTOP');
      try {
        await cluster.sql(primary.pgPort, WRITE_12_MB);
        await untilStatus(standby, '/sync?lag=10MB', 503);
        await untilStatus(standby, '/sync?lag=14MB', 200);
        await mustConform(t, standby);
      } finally {
        process.kill(startup, 'SIGCONT');
      }
      await untilStatus(standby, '/sync?lag=0', 200);
    });

    scenario('at a replica tagged noloadbalance, and with more tags', async (t) => {
      await untilStatus(tagged, '/replica', 503);
      await untilStatus(tagged, '/health?tag_note=Tom+%26+Jerry&tag_number=42', 200);
      await mustConform(t, tagged);
    });

    scenario("but not with another node's patroniglue, and the command says so", async (t) => {
      await withService(tagged, async ({ port }) => {
        const urls = [primary.restPort, port].map((at) => `http://127.0.0.1:${at}`);
        const { code, stdout } = await runMain(['--concurrency', '3', '--patience', '1', ...urls]);
        assert.equal(code, 1, stdout);
        const [, differences] = /, (\d+) differences$/m.exec(stdout) ?? [];
        assert.ok(Number(differences) > 0, stdout);
        assert.match(stdout, /^\/patroni +GET +200 +200 +DIFFERENT: body/m);
        t.diagnostic(stdout.trimEnd().split('\n').at(-1) ?? '');
      });
    });

    scenario("at a standby cluster's leader", async (t) => {
      const second = await startCluster({ ...options, nodes: 1, namePrefix: 'standby', standbyOf: primary });
      try {
        const [leader] = second.nodes;
        assert.ok(leader);
        await mustConform(t, leader);
      } finally {
        await second.close();
      }
    });

    if (isQuorumKnown) {
      scenario('at a quorum standby', async (t) => {
        await configure(primary, { synchronous_mode: 'quorum' });
        await untilStatus(standby, '/quorum', 200);
        await mustConform(t, standby);
      });
    }

    scenario('at an asynchronous replica', async (t) => {
      await configure(primary, { synchronous_mode: null });
      await untilStatus(standby, '/async', 200);
      await mustConform(t, standby);
    });

    scenario('during a switchover, but for one interval', async (t) => {
      await watched(t, [primary, standby], ['/primary', '/replica', '/leader', '/read-only'], async () => {
        await cluster.switchover();
      });
      [primary, standby] = [standby, primary];
    });

    scenario('at the primary of a paused cluster', async (t) => {
      await cluster.pause();
      await mustConform(t, primary);
    });

    scenario('at a replica whose PostgreSQL is stopped', async (t) => {
      await standby.stopPostgres();
      await mustConform(t, standby);
    });

    scenario('at a primary whose PostgreSQL is stopped', async (t) => {
      await primary.stopPostgres();
      await mustConform(t, primary);
    });
  });
}

const mainFile = fileURLToPath(new URL('../tools/conformance/main.js', import.meta.url));

function runMain(args: readonly string[]): Promise<{ readonly code: number; readonly stdout: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [mainFile, ...args], { timeout: 120_000 }, (error, stdout) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, stdout });
    });
  });
}

conformance('The installed Patroni', {}, false);

const source = process.env['PATRONI_SOURCE'] ?? '';
if (source !== '') {
  const patroniSource = resolve(source);
  const versionFile = readFileSync(join(patroniSource, 'patroni', 'version.py'), 'utf8');
  const [, version = '', major = ''] = /'((\d+)\.[^']*)'/.exec(versionFile) ?? [];
  conformance(`Patroni ${version} of ${patroniSource}`, { patroniSource }, Number(major) >= 4);
}
