import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, it } from 'node:test';
import { startCluster, type Cluster } from '../support/cluster/cluster.js';
import { run } from '../support/processes/processes.js';
import { findProgram, skipReason } from '../support/processes/programs.js';
import { eventually } from '../support/time/wait.js';

/** Longer than Patroni's `ttl` here (20 s), so that the leader key lapses. */
const FROZEN_MS = 24_000;

describe('docs/runbook-patroni-frozen.md', { skip: await skipReason(['patronictl']) }, () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await startCluster();
  });
  after(() => cluster.close());

  /** Runs it as on the other node. */
  const patronictl = (...args: readonly string[]): Promise<string> => {
    const file = join(cluster.dir, 'node2.yml');
    const env = { ...process.env, LC_ALL: 'C.UTF-8' };
    return run('patronictl', findProgram('patronictl'), ['-c', file, ...args], { env });
  };
  const startedAt = (port: number): Promise<string> => cluster.sql(port, 'SELECT pg_postmaster_start_time()');

  it('restarts a frozen Patroni without PostgreSQL, and the primary stays the primary', async () => {
    const frozen = await cluster.primary();
    const before = await startedAt(frozen.pgPort);
    frozen.freeze();
    await patronictl('edit-config', '--force', '--set', 'pause=true');
    await sleep(FROZEN_MS); // the passing of time is what is tested
    const others = await Promise.all(
      cluster.nodes.filter((node) => node !== frozen).map((node) => node.rest('/primary')),
    );
    assert.deepEqual(
      others.map(({ status }) => status),
      [503],
      'nobody is promoted in pause',
    );
    assert.match(await patronictl('list'), /Maintenance mode: on/);

    await frozen.kill();
    await frozen.start();
    await eventually('it is the primary again', 10_000, async () => (await frozen.rest('/primary')).status === 200);
    await patronictl('resume', '--wait');
    await cluster.healthy();
    assert.equal(await cluster.primary(), frozen);
    assert.equal(await startedAt(frozen.pgPort), before, 'PostgreSQL has not been restarted');
  });
});
