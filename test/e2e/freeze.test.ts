import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Socket, connect } from 'node:net';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, afterEach, before, describe, it } from 'node:test';
import { type Cluster, startCluster } from '../support/cluster/cluster.js';
import { nowMs } from '../support/time/monotonic.js';
import type { Node } from '../support/cluster/patroni-node.js';
import { openFiles } from '../support/measuring/proc.js';
import { run } from '../support/processes/processes.js';
import { skipReason } from '../support/processes/programs.js';
import { type Service, startService } from '../support/processes/service.js';
import { eventually } from '../support/time/wait.js';

const ROUTES = ['/primary', '/replica', '/read-only'];
const FREEZE_MS = 60_000;

/** What a freeze of 40 s may cost, and one more minute of it adds at most two. */
const MOST_CONNECTIONS = 16;

/** Without a word a client holds a worker of Patroni's: it has so many. */
const WORKERS = 5;

/** Less than systemd's 1,024, so that what each poll costs is seen sooner. */
const FILES_LIMIT = 256;

const statusesOf = (service: Service): Promise<readonly unknown[]> =>
  Promise.all(ROUTES.map(async (route) => (await service.get(route)).status));

/** Connections to a port that the kernel has made, seen from the side of the port; those of a full accept queue are not. */
async function connectionsTo(port: number): Promise<number> {
  const filter = ['state', 'connected', 'exclude', 'time-wait', 'exclude', 'syn-recv', `( sport = :${port} )`];
  const lines = await run('ss', 'ss', ['-Htan', ...filter], { env: {} });
  return lines.split('\n').filter((line) => line !== '').length;
}

async function startBeside(node: Node): Promise<Service> {
  const service = await startService({ config: { backend: { host: '127.0.0.1', port: node.restPort } }, flags: [] });
  await eventually('patroniglue is ready', 10_000, async () => (await service.get('/-/ready')).status === 200);
  return service;
}

describe('a real Patroni that is stopped for a minute', { skip: await skipReason() }, () => {
  let cluster: Cluster;
  let service: Service | undefined;
  before(async () => {
    cluster = await startCluster({ nodes: 1, dynamic: { ttl: 120 } }); // its leader key outlives the freeze
  });
  after(async () => {
    await service?.close();
    await cluster.close();
  });

  it('holds a few connections, and is asked at once when it goes on', async () => {
    const node = await cluster.primary();
    const beside = (service = await startBeside(node));
    const before = await statusesOf(beside);
    node.freeze();
    await sleep(FREEZE_MS); // the passing of time is what is tested
    assert.deepEqual(await statusesOf(beside), [503, 503, 503]);
    const held = await connectionsTo(node.restPort);
    assert.ok(held <= MOST_CONNECTIONS, `${held} connections`);
    const look = (when: string): number => {
      const line = `flight recorder${when}: .*; accept queue of Patroni: (\\d+) .*; its process: T \\(stopped by a signal`;
      const [, waiting] = new RegExp(line).exec(beside.output()) ?? [];
      assert.ok(waiting !== undefined, `${line} in\n${beside.output()}`);
      return Number(waiting);
    };
    assert.ok(look('') > 0, 'connections wait to be accepted');
    assert.ok(look(', ten seconds later') > look(''), 'and more of them ten seconds later');
    node.thaw();
    await eventually('checks are answered as before', 10_000, async () => {
      return JSON.stringify(await statusesOf(beside)) === JSON.stringify(before);
    });
    assert.match(beside.output(), /Patroni answers again, after a freeze of (?:59|6\d)\.\d s/);
  });
});

const source = process.env['PATRONI_SOURCE'] ?? '';

describe('a Patroni whose workers all wait for silent clients', { skip: source === '' && 'no PATRONI_SOURCE' }, () => {
  let cluster: Cluster;
  let service: Service | undefined;
  const silent: Socket[] = [];
  before(async () => {
    cluster = await startCluster({ nodes: 1, patroniSource: resolve(source), openFiles: FILES_LIMIT });
  });
  afterEach(() => {
    for (const socket of silent.splice(0)) socket.destroy();
  });
  after(async () => {
    await service?.close();
    await cluster.close();
  });

  it('goes on with its HA loop within its limit of open files, and is asked at once when the clients leave', async (t) => {
    const node = await cluster.primary();
    const beside = (service = await startBeside(node));
    const before = await statusesOf(beside);
    const filesBefore = openFiles(node.patroniPid);
    for (let client = 0; client < WORKERS; client += 1) {
      const socket = connect(node.restPort, '127.0.0.1');
      await once(socket, 'connect');
      silent.push(socket);
    }
    await eventually(
      'its API is frozen',
      10_000,
      async () => (await node.rest('/liveness', { deadlineMs: 500 })).kind === 'failure',
    );
    const frozenMs = nowMs();
    await sleep(FREEZE_MS); // the passing of time is what is tested
    const files = openFiles(node.patroniPid) - filesBefore;
    assert.ok(files <= WORKERS + 3 + MOST_CONNECTIONS, `${files} more files are open`);
    t.diagnostic(`${files - WORKERS} files of Patroni in ${((nowMs() - frozenMs) / 1000).toFixed(0)} s of freeze`);
    assert.doesNotMatch(node.log(), /Too many open files/);
    const cycles = (node.log().match(/I am \(\w+\), the leader with the lock/g) ?? []).length;
    for (const socket of silent.splice(0)) socket.destroy();
    await eventually('checks are answered as before', 10_000, async () => {
      return JSON.stringify(await statusesOf(beside)) === JSON.stringify(before);
    });
    await eventually('the HA loop goes on', 15_000, () => {
      return (node.log().match(/I am \(\w+\), the leader with the lock/g) ?? []).length > cycles;
    });
  });
});
