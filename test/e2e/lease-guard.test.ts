import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { momentOf200, placesOf, watchLeaders } from '../tools/safety/leaders.js';
import { startCluster, type Cluster } from '../support/cluster/cluster.js';
import { skipReason } from '../support/processes/programs.js';
import { startService, type Service } from '../support/processes/service.js';
import { always, eventually } from '../support/time/wait.js';

/** Patroni's ttl, less what it may be without its DCS: loop_wait, retry_timeout, and 4 s for failsafe mode; in milliseconds. */
const LEAD_MS = (20 - (1 + 3 + 4)) * 1000;

const EVERY_MS = 50;

describe('The lease guard, at a Patroni whose way to its DCS is bad', { skip: await skipReason() }, () => {
  let cluster: Cluster;
  let services: readonly Service[];
  before(async () => {
    cluster = await startCluster({ links: true, dynamic: { failsafe_mode: true } });
    services = await Promise.all(
      cluster.nodes.map(({ restPort }) => startService({ config: { backend: { host: '127.0.0.1', port: restPort } } })),
    );
    await eventually('each knows how long a leader key lives', 10_000, async () => {
      const pages = await Promise.all(services.map((service) => service.get('/-/metrics')));
      return pages.every((page) => page.kind === 'reply' && page.body.includes('\npatroniglue_cache_ttl_safe_seconds'));
    });
  });
  after(async () => {
    await Promise.all(services.map((service) => service.close()));
    await cluster.close();
  });

  const serviceOf = (name: string): Service =>
    services[cluster.nodes.findIndex((node) => node.name === name)] ?? assert.fail(name);

  it('ends nothing while the DCS is slow, nor when it is gone and failsafe mode begins', async () => {
    const primary = await cluster.primary();
    const service = serviceOf(primary.name);
    const tells200 = async (): Promise<boolean> => (await service.get('/primary')).status === 200;
    const all = (weather: Parameters<typeof primary.links.dcs.set>[0]): void => {
      for (const { links } of cluster.nodes) links.dcs.set(weather);
    };
    try {
      all({ delayMs: 200 });
      await always('/primary is 200', 5000, tells200, EVERY_MS);
      all('cut');
      await always('/primary is 200', 12_000, tells200, EVERY_MS);
      const reply = await primary.rest('/primary');
      assert.ok(
        reply.kind === 'reply' && reply.body.includes('"failsafe_mode_is_active": true'),
        'it is in failsafe mode',
      );
    } finally {
      all('clear');
    }
    await eventually('failsafe mode is over', 20_000, async () => {
      const reply = await primary.rest('/primary');
      return reply.kind === 'reply' && !reply.body.includes('failsafe_mode_is_active');
    });
    await cluster.healthy();
    assert.doesNotMatch(service.output(), /\/primary: 200 -> 503/);
  });

  it('takes out a primary whose HA loop hangs while its API says 200, long before another is promoted', async () => {
    const old = await cluster.primary();
    const next = cluster.nodes.find((node) => node !== old) ?? assert.fail();
    const believing = await startService({
      config: { backend: { host: '127.0.0.1', port: old.restPort }, cache: { 'lease-guard': false } },
    });
    const watch = watchLeaders(placesOf(cluster, services), EVERY_MS);
    try {
      // While the others reach its API, they see that its PostgreSQL is a primary still, and none is promoted.
      old.links.peers.set('cut');
      old.links.dcs.set('dripping');
      const told = await eventually('the guard says so', 20_000, async () => {
        const reply = await serviceOf(old.name).get('/primary');
        return reply.kind === 'reply' && reply.status === 503 && reply.body;
      });
      assert.match(
        told,
        /stale: Patroni has not reached its DCS for \d+\.\d s \(by its answer of \d\.\d s ago\), and may lose its leader key/,
      );
      assert.equal((await old.rest('/primary')).status, 200, 'Patroni says 200');
      assert.equal((await believing.get('/primary')).status, 200, 'and so it is told with lease-guard: false');
      assert.equal((await serviceOf(old.name).get('/replica')).status, 503);
      await eventually(
        'the other node is the primary',
        40_000,
        () => momentOf200('first', watch.said, next.name, 'patroni') !== undefined,
      );
    } finally {
      old.links.dcs.set('cut'); // so that what drips is over
      old.links.dcs.set('clear');
      old.links.peers.set('clear');
      await watch.stop();
      await believing.close();
    }
    const last200Ms = momentOf200('last', watch.said, old.name, 'patroniglue') ?? NaN;
    const promotedMs = momentOf200('first', watch.said, next.name, 'patroni') ?? NaN;
    assert.ok(promotedMs - last200Ms >= LEAD_MS - EVERY_MS, `${promotedMs - last200Ms} ms before`);
    const log = serviceOf(old.name).output();
    assert.equal(
      log.match(/warn: \/primary: 200 -> 503 \(stale: Patroni has not reached its DCS for \S+ s \(by its answer of/g)
        ?.length,
      1,
      log,
    );
    await cluster.healthy();
  });
});
