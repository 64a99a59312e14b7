import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { StatusReport } from '../../src/status/types.js';
import { startDeployment, type Deployment } from '../support/cluster/deployment.js';
import { skipReason } from '../support/processes/programs.js';
import { always, eventually } from '../support/time/wait.js';

const cache = { ttl: 3, interval: 0.25 };
const ttlMs = cache.ttl * 1000;

describe('HAProxy checks a Patroni cluster through patroniglue', { skip: await skipReason() }, () => {
  let deployment: Deployment;
  /** What is up when a test begins, such as `['primary/node1', 'replica/node2']`. */
  let up: readonly string[];

  before(async () => {
    deployment = await startDeployment({ config: { cache }, cluster: { dynamic: { retry_timeout: 7 } } });
  });
  after(() => deployment.close());
  beforeEach(async () => {
    up = await deployment.settled();
  });

  /** A test that tells what every process logged when it fails. */
  const behaviour = (name: string, body: () => Promise<void>): void => {
    it(name, () => deployment.explained(body));
  };

  const downs = async (): Promise<Record<string, number>> => {
    const states = await deployment.haproxy.serverStates();
    return Object.fromEntries(Object.entries(states).map(([name, state]) => [name, state.downs]));
  };
  const failedChecks = async (): Promise<number> => {
    const states = await deployment.haproxy.serverStates();
    return up.reduce((sum, name) => sum + (states[name]?.failedChecks ?? NaN), 0);
  };

  behaviour('tells primary and replica apart', async () => {
    const { cluster, haproxy } = deployment;
    const [primary, replica] = await Promise.all([cluster.primary(), cluster.replica()]);
    const states = await haproxy.serverStates();
    assert.deepEqual(
      [states[`primary/${primary.name}`]?.code, states[`replica/${primary.name}`]?.code],
      ['200', '503'],
    );
    assert.deepEqual(
      [states[`primary/${replica.name}`]?.code, states[`replica/${replica.name}`]?.code],
      ['503', '200'],
    );
    assert.equal(await cluster.sql(haproxy.primaryPort, 'SELECT pg_is_in_recovery()'), 'f');
    assert.equal(await cluster.sql(haproxy.replicaPort, 'SELECT pg_is_in_recovery()'), 't');
  });

  behaviour("knows Patroni's timings, and shows its nodes on the status page", async () => {
    const { cluster, services } = deployment;
    const primary = await cluster.primary();
    for (const [index, service] of services.entries()) {
      await eventually('20 - 1 - 7 = 12 s is the largest safe ttl', 10_000, async () => {
        const page = await service.get('/-/metrics');
        return page.kind === 'reply' && page.body.includes('\npatroniglue_cache_ttl_safe_seconds 12\n');
      });
      const reply = await service.get('/-/status.json');
      const { node, warnings } = JSON.parse(reply.kind === 'reply' ? reply.body : '{}') as StatusReport;
      const isPrimary = cluster.nodes[index] === primary;
      assert.deepEqual(warnings, []);
      assert.equal(node.state, 'running');
      assert.match(node.role ?? '', isPrimary ? /^(master|primary)$/ : /^replica$/);
      assert.match((isPrimary ? node.standbys : node.lag) ?? '', isPrimary ? /streaming/ : /^\d+ bytes to replay$/);
      assert.match(node['patroni-version'] ?? '', /^\d/);
      assert.equal(typeof node.timeline, 'number');
    }
  });

  behaviour('moves to the new primary after a switchover', async () => {
    const { cluster, haproxy } = deployment;
    const before = await cluster.primary();
    const now = await cluster.switchover();
    assert.notEqual(now.name, before.name);
    await haproxy.untilUp([`primary/${now.name}`, `replica/${before.name}`]);
    assert.equal(await cluster.sql(haproxy.primaryPort, 'SHOW port'), String(now.pgPort));
    assert.equal(await cluster.sql(haproxy.replicaPort, 'SHOW port'), String(before.pgPort));
  });

  behaviour('changes nothing while Patroni is frozen for less than the ttl', async () => {
    const primary = await deployment.cluster.primary();
    const before = await failedChecks();
    primary.freeze();
    try {
      await always('no check fails', ttlMs / 2, async () => (await failedChecks()) === before);
    } finally {
      primary.thaw();
    }
    await always('no check fails after the thaw', ttlMs, async () => (await failedChecks()) === before);
    assert.deepEqual(await deployment.haproxy.up(), up);
  });

  for (const role of ['primary', 'replica'] as const) {
    behaviour(
      `takes the ${role} down when its Patroni is frozen for longer than the ttl, and up again when it goes on`,
      async () => {
        const { cluster, haproxy } = deployment;
        const node = await cluster[role]();
        const server = `${role}/${node.name}`;
        node.freeze();
        try {
          await haproxy.untilUp(up.filter((name) => name !== server));
          const { check, code } = (await haproxy.serverStates())[server] ?? {};
          assert.deepEqual(
            [check, code],
            ['L7STS', '503'],
            'it is patroniglue that said so, and HAProxy had not to wait',
          );
        } finally {
          node.thaw();
        }
        await haproxy.untilUp(up);
      },
    );

    behaviour(`does not notice that the ${role}'s Patroni is restarted within the ttl`, async () => {
      const { cluster, haproxy } = deployment;
      const before = await downs();
      await (await cluster[role]()).restart();
      // A Patroni that has just started answers 503 until its first loop is through (0.2 s here): HAProxy's `fall` is for that.
      await always('nothing goes down', ttlMs, async () => JSON.stringify(await downs()) === JSON.stringify(before));
      assert.deepEqual(await haproxy.up(), up);
    });

    behaviour(`takes the ${role} down when its PostgreSQL is stopped`, async () => {
      const { cluster, haproxy } = deployment;
      const node = await cluster[role]();
      try {
        await node.stopPostgres();
        await haproxy.untilUp(up.filter((name) => name !== `${role}/${node.name}`));
      } finally {
        await cluster.resume();
      }
      await deployment.settled();
    });
  }
});
