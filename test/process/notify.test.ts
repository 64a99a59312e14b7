import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { BURST_STEPS_MS } from '../../src/streams/refresh-bursts.js';
import { createCertificates } from '../support/certificates.js';
import { ask } from '../support/clients/http-get.js';
import { run } from '../support/processes/processes.js';
import { mainFile } from '../support/processes/main-file.js';
import { type Service, startService } from '../support/processes/service.js';
import { type Upstream, answering, routeOf, startUpstream } from '../support/upstreams/upstream.js';
import { always, eventually } from '../support/time/wait.js';
import { createWorkspace } from '../support/processes/workspace.js';

const callbackFile = fileURLToPath(new URL('../../../examples/patroni-callback.sh', import.meta.url));

/** Patroni gives these to each callback. */
const EVENT = ['on_role_change', 'primary', 'patroniglue'];

/** Polls are so rare that all but the first come of a refresh. */
const cache = { ttl: 3600, interval: 3000, 'slow-ttl': 3600, 'slow-interval': 3000 };

describe('the service is told that Patroni has changed', () => {
  let upstream: Upstream;
  let service: Service;
  before(async () => {
    upstream = await startUpstream();
    service = await startService({
      config: { backend: { host: '127.0.0.1', port: upstream.port, routes: ['/primary', '/cluster'] }, cache },
    });
    await eventually('the first answers are there', 5000, async () => (await service.get('/-/ready')).status === 200);
  });
  after(async () => {
    await service.close();
    await upstream.close();
  });

  const polls = (route: string): number => upstream.requests.filter((head) => routeOf(head) === route).length;
  const notify = (): Promise<string> =>
    run('patroniglue --notify', process.execPath, [mainFile, '--config', service.configFile, '--notify', ...EVENT], {
      env: { PATH: process.env['PATH'] ?? '' },
    });
  /** A burst asks the slow routes once, at its beginning, and lasts two seconds. */
  const thereAreBursts = async (count: number): Promise<void> => {
    await eventually(`burst ${count}`, 5000, () => polls('/cluster') === 1 + count);
    await always('there is no other', 2500, () => polls('/cluster') === 1 + count);
    assert.ok(polls('/primary') <= 1 + count * BURST_STEPS_MS.length, `${polls('/primary')} polls`);
  };

  it('by --notify: it asks at once, and again for two seconds; the slow routes once', async () => {
    upstream.behave(answering(503));
    assert.equal((await service.get('/primary')).status, 200);
    assert.equal(await notify(), '');
    await eventually('it knows', 1000, async () => (await service.get('/primary')).status === 503, 10);
    await thereAreBursts(1);
    assert.ok(polls('/primary') > 3, 'again and again');
  });

  it('by a flood: there are two bursts and no more, one after the other', async () => {
    const replies = await Promise.all(
      Array.from({ length: 300 }, () => ask(service.port, '/-/refresh', { method: 'POST' })),
    );
    assert.deepEqual(new Set(replies.map(({ status }) => status)), new Set([202]));
    await thereAreBursts(3);
    const page = await service.get('/-/metrics');
    assert.match(page.kind === 'reply' ? page.body : '', /^patroniglue_refreshes_total 301$/m);
    assert.ok(upstream.connections.mostOfRoute <= 1, 'and one poll of a route at a time');
  });

  it('by examples/patroni-callback.sh', async () => {
    const script = readFileSync(callbackFile, 'utf8');
    assert.equal(script.match(/^[^#\n].*$/gm)?.length, 1, 'one line');
    await run('the callback', 'sh', ['-c', script.replace(':8009/', `:${service.port}/`), 'sh', ...EVENT], {
      env: { PATH: process.env['PATH'] ?? '' },
    });
    await thereAreBursts(4);
  });

  it('in vain where nobody listens: a line says so, and the exit code is 1', async () => {
    const other = await startService({ config: { backend: { host: '127.0.0.1', port: upstream.port } } });
    other.signal('SIGTERM');
    await other.exit;
    const args = [mainFile, '--config', other.configFile, '--notify'];
    await assert.rejects(
      run('patroniglue --notify', process.execPath, args, { env: { PATH: process.env['PATH'] ?? '' } }),
      /ended with 1.*cannot notify patroniglue at 127\.0\.0\.1 port \d+: connect ECONNREFUSED/s,
    );
    await other.close();
  });

  it('over HTTPS, with a certificate that nobody signed', async () => {
    const workspace = await createWorkspace();
    const certificates = await createCertificates(workspace.dir);
    const frontend = { certfile: certificates.server.cert, keyfile: certificates.server.key };
    const secure = await startService({
      config: { frontend, backend: { host: '127.0.0.1', port: upstream.port } },
      tls: { caFile: certificates.ca.cert },
    });
    await run('patroniglue --notify', process.execPath, [mainFile, '--config', secure.configFile, '--notify'], {
      env: { PATH: process.env['PATH'] ?? '' },
    });
    await secure.close();
    await workspace.close();
  });
});
