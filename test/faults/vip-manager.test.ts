import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, it } from 'node:test';
import { type KeepAliveClient, keepAliveClient } from '../support/clients/raw-http.js';
import { type Service, startService } from '../support/processes/service.js';
import { type Upstream, answering, silent, startUpstream } from '../support/upstreams/upstream.js';
import { eventually } from '../support/time/wait.js';

/** By its default of `dcs-endpoints`, which ends with a slash, and of `trigger-key`. */
const TARGET = '//leader';

/** The pace of its loop here; its own is a second. */
const EVERY_MS = 100;

/**
 * vip-manager 5.0 with `dcs-type: patroni` (`checker/patroni_leader_checker.go`): asks again and again over a connection that
 * is kept, and takes the address away at any error, and at any status but the one that it waits for.
 */
async function holdsAddress(client: KeepAliveClient): Promise<boolean> {
  return (await client.get(TARGET).catch(() => 0)) === 200;
}

describe('vip-manager at the port of patroniglue', () => {
  let upstream: Upstream;
  let service: Service;
  let client: KeepAliveClient;
  before(async () => {
    upstream = await startUpstream();
    const backend = { host: '127.0.0.1', port: upstream.port, routes: ['/leader'] };
    service = await startService({ config: { backend, cache: { ttl: 2, interval: 0.25 } } });
    client = keepAliveClient(service.port, { 'User-Agent': 'Go-http-client/1.1', 'Accept-Encoding': 'gzip' });
  });
  after(async () => {
    client.close();
    await service.close();
    await upstream.close();
  });

  it('holds the address while Patroni says 200 to /leader, keeps it in a hiccup, and lets it go at a freeze', async () => {
    upstream.behave(answering(200));
    await eventually('it has the address', 5000, () => holdsAddress(client));
    upstream.behave(silent);
    const frozenMs = performance.now();
    while (performance.now() - frozenMs < 1200) {
      const asked = performance.now();
      const holds = await holdsAddress(client);
      if (performance.now() - frozenMs < 1500) assert.ok(holds, `after ${(asked - frozenMs).toFixed()} ms`);
      await sleep(EVERY_MS);
    }
    await eventually('it lets the address go', 5000, async () => !(await holdsAddress(client)));
    upstream.behave(answering(200));
    await eventually('it has the address again', 10_000, () => holdsAddress(client));
    upstream.behave(answering(503));
    await eventually('it lets the address go at a 503', 5000, async () => !(await holdsAddress(client)));
  });
});
