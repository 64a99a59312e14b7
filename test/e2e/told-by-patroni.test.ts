import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Callback, createCallback } from '../support/cluster/callback.js';
import { type Cluster, startCluster } from '../support/cluster/cluster.js';
import { skipReason } from '../support/processes/programs.js';
import { type Service, startService } from '../support/processes/service.js';
import { eventually } from '../support/time/wait.js';

/** Polls are so rare that all but the first come of a callback, and answers so long-lived that none ends. */
const cache = { ttl: 3600, interval: 3000, 'lease-guard': false };

describe("Patroni's callbacks, with examples/patroni-callback.sh", { skip: await skipReason(['curl']) }, () => {
  let callback: Callback;
  let cluster: Cluster;
  let services: readonly Service[] = [];
  before(async () => {
    callback = createCallback();
    cluster = await startCluster({ callback: callback.file });
    services = await Promise.all(
      cluster.nodes.map(({ restPort }) =>
        startService({ config: { backend: { host: '127.0.0.1', port: restPort }, cache } }),
      ),
    );
    callback.tells(services);
  });
  after(async () => {
    await Promise.all(services.map((service) => service.close()));
    await cluster.close();
    callback.remove();
  });

  const statuses = (route: string) => Promise.all(services.map(async (service) => (await service.get(route)).status));

  for (const turn of ['first', 'second']) {
    it(`have both nodes asked when the primary moves, for the ${turn} time`, async () => {
      await cluster.switchover();
      const primary = await cluster.primary();
      const expected = cluster.nodes.map((node) => (node === primary ? [200, 503] : [503, 200]));
      await eventually('both know', 10_000, async () => {
        const [primaries, replicas] = await Promise.all([statuses('/primary'), statuses('/replica')]);
        const seen = cluster.nodes.map((_, index) => [primaries[index], replicas[index]]);
        assert.deepEqual(seen, expected);
        return true;
      });
      for (const service of services) {
        const page = await service.get('/-/metrics');
        assert.match(page.kind === 'reply' ? page.body : '', /^patroniglue_refreshes_total [1-9]/m);
      }
    });
  }
});
