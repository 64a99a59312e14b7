import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { type Socket, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { stringify } from 'yaml';
import { freePort } from '../support/processes/ports.js';
import { type ConfigObject, type Service, startService } from '../support/processes/service.js';
import { type Upstream, answering, silent, startUpstream } from '../support/upstreams/upstream.js';
import { eventually, within } from '../support/time/wait.js';

const UP = 'up ready 100%\n';

describe('agent checks of the service', () => {
  let upstream: Upstream;
  let service: Service;
  let config: ConfigObject;
  let agentPort: number;
  const sockets: Socket[] = [];

  before(async () => {
    upstream = await startUpstream();
  });
  after(() => upstream.close());
  beforeEach(async () => {
    upstream.behave(answering(200));
    agentPort = await freePort();
    config = {
      frontend: { host: '127.0.0.1', port: await freePort() },
      backend: { host: '127.0.0.1', port: upstream.port, routes: ['/replica'] },
      agent: { port: agentPort },
      cache: { ttl: 1, interval: 0.1 },
    };
    service = await startService({ config });
    await eventually('ready', 10_000, async () => (await service.get('/-/ready')).status === 200);
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await service.close();
  });

  async function open(port = agentPort): Promise<Socket> {
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    socket.on('error', () => undefined);
    await within('connected', 5000, once(socket, 'connect'));
    return socket;
  }
  async function check(send?: string, port = agentPort): Promise<string> {
    const socket = await open(port);
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
    if (send !== undefined) socket.write(send);
    await within('answered', 5000, once(socket, 'end'));
    return text;
  }
  async function reload(changed: ConfigObject): Promise<void> {
    const sections = new Set([...Object.keys(config), ...Object.keys(changed)]);
    const next = Object.fromEntries([...sections].map((name) => [name, { ...config[name], ...changed[name] }]));
    const before = service.output().length;
    await writeFile(service.configFile, stringify(next));
    service.signal('SIGHUP');
    await eventually('reloaded, or not', 5000, () => service.output().slice(before).includes('reloaded'));
  }
  const refused = (port: number): Promise<boolean> =>
    open(port).then(
      () => false,
      () => true,
    );

  it('are answered for agent.route, which is polled from the start, and for any other', async () => {
    assert.equal(await check(), UP);
    assert.equal(await check('/replica\n'), UP);
    assert.equal(await check('/health\n'), 'no-answer-from-Patroni-yet\n', 'it is learned now');
    await eventually('/health is polled', 5000, async () => (await check('/health\n')) === UP);
  });

  it('turn when Patroni does, and end with the last answer', async () => {
    upstream.behave(answering(503));
    await eventually('a standby', 5000, async () => (await check('/primary\n')) === 'up maint\n');
    upstream.behave(silent);
    await eventually('down', 5000, async () =>
      (await check('/primary\n')).startsWith('down ready # stale: poll timed out'),
    );
    upstream.behave(answering(200));
    await eventually('up again', 5000, async () => (await check('/primary\n')) === UP);
  });

  it('change nothing when patroniglue itself has stood still for longer than an answer lives', async () => {
    await reload({ cache: { ttl: 3, interval: 0.1 }, backend: { timeout: 2.9 } });
    assert.equal(await check('/primary\n'), UP);
    service.signal('SIGSTOP');
    await sleep(3500);
    const replies = Promise.all(Array.from({ length: 20 }, () => check('/primary\n'))); // they wait in the queue
    service.signal('SIGCONT');
    const others = (await replies).filter((reply) => reply !== UP && reply !== 'no-answer-from-Patroni-yet\n');
    assert.deepEqual(others, []);
    await eventually('up', 5000, async () => (await check('/primary\n')) === UP);
  });

  it('are answered beside hundreds of clients that ask for nothing, or never end', async () => {
    await reload({ agent: { wait: 5 } });
    const clients = await Promise.all(Array.from({ length: 300 }, () => open()));
    for (const [index, client] of clients.entries()) if (index % 2) client.write('/prim');
    assert.equal(await check('/primary\n'), UP);
    assert.equal((await service.get('/replica')).status, 200);
  });

  it('share the bound of connections with health checks: the oldest goes', async () => {
    await reload({ agent: { wait: 5 } });
    const clients = await Promise.all(Array.from({ length: 920 }, () => open()));
    await eventually('the first are gone', 5000, () => clients.filter(({ closed }) => closed).length >= 20);
    // this process is the upstream, too: it may have answered no poll while it opened so many
    await eventually('an agent check is answered', 10_000, async () => (await check('/primary\n')) === UP);
    await eventually('a health check is, too', 10_000, async () => (await service.get('/replica')).status === 200);
    assert.match(service.output(), /too many connections/);
  });

  it('follow the configuration: another port, another route, another word, none at all', async () => {
    const other = await freePort();
    upstream.behave(answering(503));
    await reload({ agent: { port: other, route: '/health', standby: 'drain' } });
    await eventually('/health is polled', 5000, async () => (await check(undefined, other)) === 'up drain\n');
    assert.ok(await refused(agentPort));
    await writeFile(service.configFile, stringify({ ...config, agent: {} }));
    service.signal('SIGHUP');
    await eventually('none', 5000, () => service.output().includes('agent checks: no longer listening'));
    assert.ok(await refused(other));
    await reload({});
    await eventually('again', 5000, async () => (await check('/primary\n')) === 'up maint\n');
  });

  it('stay as they are, and the front end too, where one of the two cannot listen', async () => {
    const taken = await startUpstream();
    const other = await freePort();
    for (const changed of [
      { agent: { port: taken.port }, frontend: { port: other } },
      { agent: { port: other }, frontend: { port: taken.port } },
    ]) {
      await reload(changed);
      assert.equal(await check('/primary\n'), UP);
      assert.equal((await service.get('/replica')).status, 200);
      assert.ok(await refused(other));
    }
    await taken.close();
    assert.match(service.output(), /not reloaded, .*the port is taken: stop the other program, or set agent\.port/);
  });

  it('end with the service, which does not wait for them', async () => {
    await reload({ agent: { wait: 5 } });
    await open();
    service.signal('SIGTERM');
    const { code } = await within('ended', 2000, service.exit);
    assert.equal(code, 0);
  });
});

describe('a service whose agent cannot listen', () => {
  it('ends with 1, and says which key is wrong', async () => {
    const taken = await startUpstream();
    try {
      const config = { backend: { host: '127.0.0.1', port: 1 }, agent: { port: taken.port } };
      // both listeners are opened at once: the front end may have answered before the end
      const told = await startService({ config }).then(
        async (started) => {
          const { code, signal } = await within('ended', 5000, started.exit);
          assert.ok(code === 1 || signal === 'SIGKILL', `${code}, ${signal}`); // the latter where a disk holds it up: exit-process.ts
          await started.close();
          return started.output();
        },
        (cause: unknown) => String(cause),
      );
      assert.match(
        told,
        /cannot listen on 127\.0\.0\.1 port \d+: the port is taken: stop the other program, or set agent\.port/,
      );
    } finally {
      await taken.close();
    }
  });
});
