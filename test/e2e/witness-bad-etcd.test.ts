import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { checkWith, latencyMs } from '../support/clients/checks.js';
import type { Reply } from '../support/clients/http-get.js';
import { type Cluster, startCluster } from '../support/cluster/cluster.js';
import type { Node } from '../support/cluster/patroni-node.js';
import { witnessOf } from '../support/cluster/witness.js';
import { skipReason } from '../support/processes/programs.js';
import { type Service, startService } from '../support/processes/service.js';
import { eventually } from '../support/time/wait.js';
import { type ScriptedEtcd, startScriptedEtcd } from '../support/upstreams/etcd.js';
import { type Behaviour, dripping, ending, flooding, silent } from '../support/upstreams/upstream.js';

/** What an etcd must not be able to do any harm with. */
const BEHAVIOURS: Readonly<Record<string, Behaviour>> = {
  'answers nonsense': ending('HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n{"succeeded": "maybe"}'),
  drips: dripping(50),
  redirects: ending('HTTP/1.1 307 Elsewhere\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n'),
  'never answers': silent,
  floods: flooding('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n', '{"header":'),
};

const CHECKS_A_SECOND = 20;
const CHECKS_MS = 6000;
const INTERVAL_MS = 1000;

/** A check that waited for etcd would take as long as etcd does: until the read is given up after seconds. */
const MOST_MEDIAN_MS = 250;

describe('An etcd that does what no etcd does', { skip: await skipReason() }, () => {
  let cluster: Cluster;
  let primary: Node;
  const etcds: ScriptedEtcd[] = [];
  const services: Service[] = [];
  let withoutWitness: Service;

  before(async () => {
    cluster = await startCluster({ nodes: 1, hangable: true });
    primary = await cluster.primary();
    const backend = { host: '127.0.0.1', port: primary.restPort };
    for (const behaviour of Object.values(BEHAVIOURS)) {
      const etcd = await startScriptedEtcd();
      etcd.behave(behaviour);
      etcds.push(etcd);
      const witness = { ...witnessOf(cluster, primary), etcd3: { hosts: [`127.0.0.1:${etcd.port}`] } };
      services.push(await startService({ config: { backend, witness }, flags: [] }));
    }
    withoutWitness = await startService({ config: { backend }, flags: [] });
  });
  after(async () => {
    await Promise.all([...services, withoutWitness].map((service) => service.close()));
    await Promise.all(etcds.map((etcd) => etcd.close()));
    await cluster.close();
  });

  const pollsOf = async (service: Service): Promise<number> => {
    const page = await service.get('/-/metrics');
    const line =
      page.kind === 'reply' && /^patroniglue_poll_duration_seconds_count\{route="\/primary"\} (\d+)$/m.exec(page.body);
    return line ? Number(line[1]) : 0;
  };
  /** Checks all services at the same time; resolves with the statuses that each gave. */
  const check = async (t: TestContext): Promise<readonly ReadonlySet<number>[]> => {
    const ports = services.map(({ port }) => port);
    const samples = await checkWith({
      ...{ kind: 'paced', ports, routes: ['/primary'], perSecond: CHECKS_A_SECOND, durationMs: CHECKS_MS },
    });
    return ports.map((port, index) => {
      const own = samples.filter((sample) => sample.port === port);
      const latencies = own.map(latencyMs).sort((a, b) => a - b);
      const medianMs = latencies[Math.floor(latencies.length / 2)] ?? NaN;
      const name = Object.keys(BEHAVIOURS)[index] ?? '';
      t.diagnostic(`${name}: ${own.length} checks, the median took ${medianMs.toFixed(1)} ms`);
      assert.ok(medianMs < MOST_MEDIAN_MS, `${name}: the median of the checks took ${medianMs} ms`);
      return new Set(own.map(({ status }) => status).filter((status) => status !== 0));
    });
  };

  it('delays no check and no poll while Patroni answers, and is told', async (t) => {
    for (const service of services) {
      await eventually('the warning', 20_000, () => service.output().includes('the witness cannot be read'));
      await eventually('/primary is 200', 20_000, async () => (await service.get('/primary')).status === 200);
    }
    const before = await Promise.all([...services, withoutWitness].map(pollsOf));
    await check(t);
    const after = await Promise.all([...services, withoutWitness].map(pollsOf));
    const polls = after.map((count, index) => count - (before[index] ?? 0));
    t.diagnostic(`polls: ${polls.slice(0, -1).join(', ')}; without a witness: ${polls.at(-1) ?? 0}`);
    for (const count of polls) assert.ok(count >= CHECKS_MS / INTERVAL_MS / 2, `${count} polls`);
  });

  it('delays no check while Patroni does not answer, gets one request at a time, and leads to no 200', async (t) => {
    primary.toggleApi();
    try {
      await eventually('no answer of Patroni is fresh any more', 20_000, async () => {
        const replies = await Promise.all(services.map((service) => service.get('/primary')));
        return replies.every(({ status }) => status === 503);
      });
      for (const statuses of await check(t)) assert.deepEqual([...statuses], [503]);
      for (const etcd of etcds) {
        assert.ok(etcd.requests.length > 2, `${etcd.requests.length} requests`);
        assert.equal(etcd.inFlight.most, 1);
      }
    } finally {
      primary.toggleApi();
    }
    await eventually('/primary is 200', 20_000, async () => {
      const replies = await Promise.all(services.map((service) => service.get('/primary')));
      return replies.every(({ status }) => status === 200);
    });
  });

  it('changes nothing of the replies while Patroni answers, and nor does a witness at all', async () => {
    const all = [withoutWitness, ...services];
    const membersOf = (reply: Reply): string =>
      reply.kind === 'reply' ? String(Object.keys(JSON.parse(reply.body) as object)) : '';
    await eventually('each has the same answer of Patroni as its latest', 20_000, async () => {
      const latest = await Promise.all([primary.rest('/primary'), ...all.map((service) => service.get('/primary'))]);
      return new Set(latest.map(membersOf)).size === 1;
    });
    const replies = await Promise.all(all.map((service) => service.get('/primary')));
    const shapes = replies.map((reply) => {
      assert.ok(reply.kind === 'reply');
      const { age, date, 'cache-status': cacheStatus = '', 'content-length': length, ...headers } = reply.headers;
      assert.match(cacheStatus, /^patroniglue; hit; ttl=\d$/);
      assert.equal(Number(length), Buffer.byteLength(reply.body));
      assert.ok(age !== undefined && date !== undefined);
      return { status: reply.status, headers, members: Object.keys(JSON.parse(reply.body) as object) };
    });
    for (const shape of shapes) assert.deepEqual(shape, shapes[0]);
    assert.deepEqual(Object.keys(shapes[0]?.headers ?? {}).sort(), ['cache-control', 'connection', 'content-type']);
    const direct = await primary.rest('/primary');
    assert.ok(direct.kind === 'reply');
    assert.deepEqual(shapes[0]?.members, Object.keys(JSON.parse(direct.body) as object));
  });
});
