import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, afterEach, before, describe, it } from 'node:test';
import { type Reply, ask } from '../support/clients/http-get.js';
import { type Service, notify, reload, startService } from '../support/processes/service.js';
import { type Upstream, answering, startUpstream } from '../support/upstreams/upstream.js';
import { eventually, within } from '../support/time/wait.js';

const HERE = 'PROXY UNKNOWN\r\n';

/** PROXY headers stand for clients elsewhere: those on loopback are this host, which may always ask. */
describe('access lists', () => {
  let upstream: Upstream;
  let service: Service;
  before(async () => {
    upstream = await startUpstream();
    upstream.behave(answering(200));
  });
  after(() => upstream.close());
  afterEach(() => service.close());

  async function start(frontend: Readonly<Record<string, unknown>>): Promise<void> {
    const backend = { host: '127.0.0.1', port: upstream.port, routes: ['/primary', '/config'] };
    const config = { frontend: { 'proxy-protocol': true, ...frontend }, backend };
    service = await startService({ config, prologue: HERE });
    await eventually('ready', 10_000, async () => (await service.get('/-/ready')).status === 200);
  }
  const askFrom = (client: string, path: string, method = 'GET'): Promise<Reply> => {
    const family = client.includes(':') ? 'TCP6' : 'TCP4';
    return ask(service.port, path, { method, prologue: `PROXY ${family} ${client} ${client} 1234 80\r\n` });
  };
  const statusFrom = async (client: string, path: string, method?: string) =>
    (await askFrom(client, path, method)).status;

  it('frontend.allow: other clients get no reply at all; the log names address and key, the metrics count', async () => {
    await start({ allow: ['10.0.0.0/24', 'fd00::/64'] });
    for (const client of ['10.0.0.5', '::ffff:10.0.0.5', 'fd00::5']) {
      assert.equal(await statusFrom(client, '/primary'), 200, client);
    }
    for (const client of ['10.0.1.5', 'fd01::5']) {
      for (const path of ['/primary', '/-/healthy', '/nowhere']) {
        assert.equal((await askFrom(client, path)).kind, 'failure', `${client} ${path}`);
      }
    }
    const page = await service.get('/-/metrics');
    assert.match(page.kind === 'reply' ? page.body : '', /broken_connections_total\{reason="not-allowed"\} 6$/m);
    const told = service.output().match(/.* is not in frontend\.allow: .*/g);
    assert.equal(told?.length, 1);
    assert.match(told.join(), /warn: 10\.0\.1\.5 is not in frontend\.allow: add its network there if it may ask/);
    assert.equal(await notify(service), '');
    await reload(service, { allow: ['10.0.1.0/24'] });
    assert.equal(await statusFrom('10.0.1.5', '/primary'), 200);
    assert.equal((await askFrom('10.0.0.5', '/primary')).kind, 'failure');
  });

  it('frontend.allow-pages: other clients get 403 for the pages, and health checks as before', async () => {
    await start({ 'allow-pages': ['10.0.0.20'] });
    const pages = ['/config', '/cluster', '/history', '/metrics', '/-/metrics', '/-/status', '/-/status.json'];
    for (const path of pages) {
      const reply = await askFrom('10.0.0.5', path);
      assert.ok(reply.kind === 'reply', path);
      assert.deepEqual([reply.status, reply.headers['content-type']], [403, 'application/problem+json'], path);
      assert.match(reply.body, /frontend\.allow-pages/);
    }
    assert.ok(!upstream.requests.some((head) => head.includes('/cluster')), 'a refused client makes no route known');
    for (const path of ['/primary', '/-/healthy', '/-/ready']) assert.equal(await statusFrom('10.0.0.5', path), 200);
    for (const path of ['/config', '/-/metrics', '/-/status']) {
      assert.deepEqual([await statusFrom('10.0.0.20', path), (await service.get(path)).status], [200, 200], path);
    }
  });

  it('frontend.allow-pages ends the events of the status page for a client that may no longer see it', async () => {
    await start({});
    const watching = connect(service.port, '127.0.0.1');
    const ended = once(watching, 'close');
    watching.write('PROXY TCP4 10.0.0.5 10.0.0.5 1234 80\r\nGET /-/status/events HTTP/1.0\r\n\r\n');
    await within('an event', 5000, once(watching, 'data'));
    watching.resume();
    await reload(service, { logformat: '%a' });
    await within('another event', 5000, once(watching, 'data'));
    await reload(service, { 'allow-pages': ['10.0.0.20'] });
    await within('the end', 5000, ended);
  });
});
