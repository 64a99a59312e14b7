import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startDeployment, type Deployment } from '../support/cluster/deployment.js';
import { startHAProxy, type HAProxy } from '../support/cluster/haproxy.js';
import { skipReason } from '../support/processes/programs.js';
import { checkMetrics, samplesIn, startPrometheus, type Prometheus } from '../support/cluster/prometheus.js';
import { eventually } from '../support/time/wait.js';

const cache = { ttl: 3, interval: 0.25, 'slow-ttl': 3, 'slow-interval': 0.25 };
const withoutPrometheus = await skipReason(['curl', 'prometheus', 'promtool']);

describe('Clients teach patroniglue the routes that are in no configuration', { skip: await skipReason() }, () => {
  let deployment: Deployment;
  let prometheus: Prometheus;

  before(async () => {
    deployment = await startDeployment({ config: { cache } });
    if (withoutPrometheus !== false) return;
    // Before the other tests: it takes five seconds until it looks at its targets for the first time.
    prometheus = await startPrometheus(deployment.services.map(({ port }) => port));
  });
  after(async () => {
    try {
      if (withoutPrometheus === false) await prometheus.close();
    } finally {
      await deployment.close();
    }
  });

  /** A test that tells what every process logged when it fails. */
  const behaviour = (name: string, body: () => Promise<void>): void => {
    it(name, () => deployment.explained(body));
  };
  const portOf = (index: number): number => deployment.services[index]?.port ?? 0;

  describe('HAProxy, by checking replicas for their lag', () => {
    /** The example, but for what the checks of its replica listener ask for. */
    let particular: HAProxy;
    let up: readonly string[];

    before(async () => {
      const servers = deployment.cluster.nodes.map(({ name, pgPort }, index) => ({
        name,
        port: pgPort,
        checkPort: portOf(index),
      }));
      particular = await startHAProxy({ servers, replicaTarget: '/replica?lag=10MB' });
      up = await deployment.settled();
    });
    after(() => particular.close());

    behaviour('has the replica up', () => particular.untilUp(up));

    behaviour('has the one route polled for every spelling of the lag', async () => {
      for (const service of deployment.services) {
        for (const lag of ['10240kB', '10%20MB', '10485760&other=x']) {
          const reply = await service.get(`/replica?lag=${lag}`);
          assert.match(reply.kind === 'reply' ? (reply.headers['cache-status'] ?? '') : '', /hit/, `at once: ${lag}`);
        }
      }
    });

    behaviour('takes a replica down that is more than 10 MB behind, and up again when it has caught up', async () => {
      const { cluster, haproxy, services } = deployment;
      const [primary, replica] = await Promise.all([cluster.primary(), cluster.replica()]);
      const service = services[cluster.nodes.indexOf(replica)];
      const server = `replica/${replica.name}`;
      const downs = async (): Promise<number> => (await haproxy.serverStates())[server]?.downs ?? NaN;
      const before = await downs();
      await cluster.pause(); // or Patroni itself resumes the replay, within a second (`handle_parameter_change`, 3.0.2)
      try {
        await cluster.sql(replica.pgPort, 'SELECT pg_wal_replay_pause()');
        const megabyte = "SELECT pg_logical_emit_message(true, 'lag', repeat('x', 1048576))";
        await cluster.sql(primary.pgPort, `${megabyte} FROM generate_series(1, 12)`);
        await particular.untilUp(up.filter((name) => name !== server));
        const { check, code } = (await particular.serverStates())[server] ?? {};
        assert.deepEqual([check, code], ['L7STS', '503']);
        const reply = await service?.get('/replica?lag=10MB');
        assert.match(reply?.kind === 'reply' ? reply.body : '', /"role": "replica"/, 'it is Patroni that says 503');
      } finally {
        await cluster.sql(replica.pgPort, 'SELECT pg_wal_replay_resume()');
        await cluster.resume();
      }
      await particular.untilUp(up);
      assert.equal(await downs(), before, 'an HAProxy that does not ask for the lag has seen nothing');
      assert.deepEqual(await haproxy.up(), up);
    });
  });

  describe('Prometheus, by scraping /metrics', { skip: withoutPrometheus }, () => {
    behaviour('has every node up, and reads every sample', async () => {
      for (const [index, node] of deployment.cluster.nodes.entries()) {
        const port = portOf(index);
        const samples = samplesIn(await node.rest('/metrics'));
        assert.ok(samples > 10, `Patroni has metrics, not ${samples}`);
        await eventually(`Prometheus has ${node.name} up`, 20_000, async () => {
          const [up, scraped] = [await prometheus.query('up'), await prometheus.query('scrape_samples_scraped')];
          assert.deepEqual([up[port], scraped[port]], ['1', String(samples)], await prometheus.lastError(port));
          return true;
        });
      }
    });

    behaviour('knows which node is the primary', async () => {
      const { cluster } = deployment;
      const primary = await cluster.primary();
      const expected = cluster.nodes.map((node, index) => [portOf(index), node === primary ? '1' : '0']);
      await eventually('patroni_primary is 1 at the primary alone', 20_000, async () => {
        assert.deepEqual(await prometheus.query('patroni_primary'), Object.fromEntries(expected));
        return true;
      });
    });

    behaviour('is given the very bytes that Patroni writes', async () => {
      for (const [index, node] of deployment.cluster.nodes.entries()) {
        // Patroni writes when it last heard of etcd, which changes every second: they are alike between two such moments.
        await eventually(`the metrics of ${node.name} are the same by both ways`, 20_000, async () => {
          const [direct, through] = await Promise.all([
            node.rest('/metrics'),
            deployment.services[index]?.get('/metrics'),
          ]);
          assert.ok(direct.kind === 'reply' && through?.kind === 'reply');
          assert.deepEqual(
            [through.status, through.headers['content-type'], through.body],
            [direct.status, direct.headers['content-type'], direct.body],
          );
          return true;
        });
      }
    });

    behaviour('has promtool say the same of the metrics by both ways', async () => {
      for (const [index, { restPort }] of deployment.cluster.nodes.entries()) {
        const direct = await checkMetrics(restPort);
        assert.ok(direct.code === 0 || direct.code === 3, `they parse: ${direct.complaints}`);
        assert.deepEqual(await checkMetrics(portOf(index)), direct);
      }
    });

    behaviour('takes a node for down, and forgets its role, when its Patroni is frozen past slow-ttl', async () => {
      const { cluster } = deployment;
      const node = await cluster.replica();
      const port = portOf(cluster.nodes.indexOf(node));
      node.freeze();
      try {
        await eventually('Prometheus has it down by a 503', 20_000, async () => {
          const error = await prometheus.lastError(port);
          return (await prometheus.query('up'))[port] === '0' && error.includes('503');
        });
        assert.equal((await prometheus.query('patroni_replica'))[port], undefined);
      } finally {
        node.thaw();
      }
      await eventually('Prometheus has it up again', 20_000, async () => (await prometheus.query('up'))[port] === '1');
    });
  });
});
