import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Service, startService } from '../support/processes/service.js';
import { type Upstream, startUpstream } from '../support/upstreams/upstream.js';
import { eventually } from '../support/time/wait.js';

const METRICS = '# HELP patroni_version Patroni semver without periods.\n# é\npatroni_version{scope="a"} 030002\n';

/** Patroni's health routes and `/metrics`, each with a body of its own. */
function patroni(head: string): { status: number; contentType: string; body: string } {
  if (head.startsWith('GET /metrics ')) return { status: 200, contentType: 'text/plain', body: METRICS };
  if (head.startsWith('GET /config ')) return { status: 502, contentType: 'text/html;charset=utf-8', body: '<p>502' };
  return { status: head.startsWith('GET /sync ') ? 503 : 200, contentType: 'application/json', body: '{"a": NaN}' };
}

describe('a route that somebody asks for', () => {
  let upstream: Upstream;
  let service: Service;
  before(async () => {
    upstream = await startUpstream();
    upstream.behave((socket, head) => {
      if (head.startsWith('GET /leader ')) return;
      const { status, contentType, body } = patroni(head);
      socket.end(`HTTP/1.0 ${status} Some Reason\r\nContent-Type: ${contentType}\r\n\r\n${body}`);
    });
    const backend = { host: '127.0.0.1', port: upstream.port, routes: ['/primary'] };
    service = await startService({
      config: { backend, cache: { interval: 0.1, 'slow-interval': 60, 'slow-ttl': 120 } },
    });
    await eventually('ready', 5000, async () => (await service.get('/-/ready')).status === 200);
  });
  after(async () => {
    await service.close();
    await upstream.close();
  });

  const polls = (route: string): number => upstream.requests.filter((head) => head.startsWith(`GET ${route} `)).length;

  it('is 503 at first, with the time to come back, and then what Patroni says', async () => {
    const first = await service.get('/synchronous?lag=10%20MB');
    assert.ok(first.kind === 'reply');
    assert.deepEqual([first.status, first.headers['retry-after']], [503, '1']);
    assert.match(first.body, /"state": "pending"/);
    const answered = await eventually('an answer', 5000, async () => {
      const reply = await service.get('/sync?lag=10MB');
      return reply.kind === 'reply' && reply.body === '{"a": NaN}' && reply;
    });
    assert.deepEqual([answered.status, answered.headers['content-type']], [200, 'application/json']);
    assert.equal(polls('/sync'), 0);
    await eventually('it is polled from then on', 5000, () => polls('/sync?lag=10MB') >= 3);
  });

  it('is passed on whatever its status, type and bytes', async () => {
    for (const [route, status] of [
      ['/metrics', 200],
      ['/config', 502],
      ['/sync', 503],
    ] as const) {
      const { contentType, body } = patroni(`GET ${route} `);
      const reply = await eventually(`${route} is answered`, 5000, async () => {
        const reply = await service.get(route);
        return reply.kind === 'reply' && reply.headers['content-type'] === contentType && reply;
      });
      assert.deepEqual([reply.status, reply.body], [status, body]);
    }
  });

  it('is polled at the slow pace where it is for people and monitoring', async () => {
    await eventually('/metrics is answered', 5000, async () => (await service.get('/metrics')).status === 200);
    const before = polls('/primary');
    await eventually('/primary is polled ten times', 5000, () => polls('/primary') >= before + 10);
    assert.ok(polls('/metrics') <= 2, String(polls('/metrics'))); // the first, and maybe its moment of the minute
  });

  it('does not make the service less ready while it has no answer', async () => {
    const reply = await service.get('/leader'); // the script has none
    assert.ok(reply.kind === 'reply' && reply.body.includes('"state": "pending"'));
    assert.equal((await service.get('/-/ready')).status, 200);
  });

  it('is told of in the log when it is learned', async () => {
    await service.get('/health');
    await eventually('a line', 5000, () => service.output().includes('info: /health: learned: '));
    assert.doesNotMatch(service.output(), /\/primary: learned/);
  });
});
