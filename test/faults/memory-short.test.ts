import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { checkWith, outcomeOf } from '../support/clients/checks.js';
import { type Service, startService } from '../support/processes/service.js';
import { type Upstream, answering, startUpstream } from '../support/upstreams/upstream.js';
import { eventually } from '../support/time/wait.js';

/** Of old space; Node itself and the libraries take half of it. */
const HEAP_MB = 24;
const CHECKS = 2_000; // some 20 s: most of the time goes into collecting garbage

describe('a service that is short of memory', () => {
  let upstream: Upstream;
  let service: Service;
  before(async () => {
    upstream = await startUpstream();
    upstream.behave(answering(200, JSON.stringify({ members: 'x'.repeat(500_000) })));
    const backend = { host: '127.0.0.1', port: upstream.port };
    const cache = { ttl: 2, interval: 0.1, 'slow-interval': 0.1 };
    const nodeFlags = [`--max-old-space-size=${HEAP_MB}`];
    service = await startService({ config: { backend, cache }, flags: ['--debug'], nodeFlags });
  });
  after(async () => {
    await service.close();
    await upstream.close();
  });

  it('answers every check, also while large answers are polled and given', async () => {
    for (const route of ['/primary', '/cluster', '/history', '/metrics']) {
      await eventually(`${route} is 200`, 5000, async () => (await service.get(route)).status === 200);
    }
    const { port } = service;
    const [checks, large] = await Promise.all([
      checkWith({
        kind: 'flood',
        port,
        routes: ['/-/healthy', '/primary?x', '/my-route'],
        checks: CHECKS,
        concurrency: 50,
      }),
      checkWith({ kind: 'flood', port, routes: ['/cluster', '/history'], checks: 100, concurrency: 5 }),
    ]);
    const outcomes = new Set([...checks, ...large].map(outcomeOf));
    assert.deepEqual([...outcomes].sort(), [200, 404]);
    assert.equal((await service.get('/-/ready')).status, 200, service.output().slice(-2000));
  });
});
