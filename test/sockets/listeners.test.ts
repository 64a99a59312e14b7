import assert from 'node:assert/strict';
import { type Server, connect, createServer } from 'node:net';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type Listeners, type ListenersOptions, createListeners, moveAll } from '../../src/sockets/listeners.js';
import { freePort } from '../support/processes/ports.js';
import { within } from '../support/time/wait.js';

const HOST = '127.0.0.1';

/** Who answers at a port. */
async function whoIsAt(port: number): Promise<string> {
  const socket = connect(port, HOST);
  try {
    const [data] = (await within('it says who it is', 5000, once(socket, 'data'))) as [Buffer];
    return data.toString();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  } finally {
    socket.destroy();
  }
}

/** As where the process has no file descriptor left. */
function failToListen(server: Server): void {
  server.listen = () => {
    queueMicrotask(() => server.emit('error', Object.assign(new Error('EMFILE'), { code: 'EMFILE' })));
    return server;
  };
}

describe('two that listen', () => {
  let servers: Server[];
  let frontEnd: Listeners;
  let agent: Listeners;
  let ports: { a: number; b: number; c: number };
  let onCreated: (server: Server, section: string) => void = () => undefined;

  const named = (section: ListenersOptions['section'], options: Partial<ListenersOptions> = {}): Listeners =>
    createListeners({
      section,
      createServer() {
        const server = createServer((socket) => socket.end(section));
        servers.push(server);
        onCreated(server, section);
        return server;
      },
      ...options,
    });
  const moveBoth = (frontPort: number, agentPort: number | undefined): Promise<void> =>
    moveAll([
      { listeners: agent, listenAt: agentPort === undefined ? undefined : { host: HOST, port: agentPort } },
      { listeners: frontEnd, listenAt: { host: HOST, port: frontPort } },
    ]);

  beforeEach(async () => {
    servers = [];
    [frontEnd, agent] = [named('frontend'), named('agent')];
    ports = { a: await freePort(), b: await freePort(), c: await freePort() };
    await moveBoth(ports.a, ports.b);
  });
  afterEach(() => {
    for (const server of servers) server.close();
  });

  it('may hand a port from one to the other, in either direction', async () => {
    const { a, b, c } = ports;
    await moveBoth(c, a); // the agent has what the front end had
    assert.deepEqual([await whoIsAt(c), await whoIsAt(a), await whoIsAt(b)], ['frontend', 'agent', 'ECONNREFUSED']);
    await moveBoth(a, b); // and back
    assert.deepEqual([await whoIsAt(a), await whoIsAt(b), await whoIsAt(c)], ['frontend', 'agent', 'ECONNREFUSED']);
  });

  it('may change places', async () => {
    const { a, b } = ports;
    await moveBoth(b, a);
    assert.deepEqual([await whoIsAt(b), await whoIsAt(a)], ['frontend', 'agent']);
  });

  it('may hand over a port that one gives up', async () => {
    const { b } = ports;
    await moveBoth(b, undefined);
    assert.equal(await whoIsAt(b), 'frontend');
    assert.deepEqual(agent.addresses(), []);
  });

  it('stay both where they were when one of them cannot move', async () => {
    const { a, b, c } = ports;
    const stranger = createServer((socket) => socket.end('stranger')).listen(c, HOST);
    await once(stranger, 'listening');
    await assert.rejects(moveBoth(c, a), /cannot listen on 127\.0\.0\.1 port \d+: the port is taken: .*frontend\.port/);
    stranger.close();
    assert.deepEqual([await whoIsAt(a), await whoIsAt(b)], ['frontend', 'agent']);
  });

  it('listen again with the next move where the way back failed, too', async () => {
    const { a, b, c } = ports;
    const stranger = createServer().listen(c, HOST);
    await once(stranger, 'listening');
    let ofFrontEnd = 0;
    onCreated = (server, section) => {
      if (section === 'frontend') ofFrontEnd += 1;
      if (section === 'frontend' && ofFrontEnd === 2) failToListen(server); // the first one is for the new port
    };
    await assert.rejects(moveBoth(c, a), /the port is taken/); // the agent has the front end's port by then
    onCreated = () => undefined;
    stranger.close();
    assert.deepEqual([ofFrontEnd, await whoIsAt(a)], [2, 'ECONNREFUSED'], 'the way back has failed');
    await moveBoth(a, b);
    assert.deepEqual([await whoIsAt(a), await whoIsAt(b)], ['frontend', 'agent']);
  });

  it('listen nowhere after they were closed, however far a move was by then', async () => {
    let resolved: (addresses: readonly string[]) => void = () => undefined;
    const slow = named('agent', { resolve: () => new Promise((resolve) => (resolved = resolve)) });
    const { c } = ports;
    const looking = slow.moveTo({ host: 'slow.example.test', port: c });
    await slow.close();
    resolved([HOST]);
    await assert.rejects(looking, /stopping/);
    assert.equal(await whoIsAt(c), 'ECONNREFUSED');

    const opening = moveBoth(c, ports.a);
    await frontEnd.close();
    await agent.close();
    await opening.catch(() => undefined);
    const all = await Promise.all([ports.a, ports.b, c].map(whoIsAt));
    assert.deepEqual(all, ['ECONNREFUSED', 'ECONNREFUSED', 'ECONNREFUSED']);
    await assert.rejects(moveBoth(c, ports.a), /stopping/);
  });
});
