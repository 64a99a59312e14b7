import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, type Server, type Socket, connect } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { createAgentServer } from '../../src/agent-check/server.js';
import { eventually, within } from '../support/time/wait.js';
import type { AgentReply, Question } from '../../src/agent-check/types.js';

/** Long enough for a machine that is busy: where it matters that the wait is not over. */
const LONG_MS = 60_000;

describe('the server for agent checks', () => {
  let server: Server | undefined;
  const asked: Question[] = [];
  const replies: [AgentReply, string][] = [];
  afterEach(() => {
    server?.close();
    asked.length = 0;
    replies.length = 0;
  });

  async function open(waitMs: number): Promise<Socket> {
    server ??= createAgentServer({
      handle(question) {
        asked.push(question);
        return { route: '/primary', state: 'up', line: 'up ready 100%' };
      },
      waitMs: () => waitMs,
      onReply: (reply, address) => replies.push([reply, address]),
    });
    if (!server.listening) {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
    }
    const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('error', () => undefined);
    await within('connected', 5000, once(socket, 'connect'));
    return socket;
  }
  afterEach(() => {
    server = undefined;
  });

  const connections = (): Promise<number> =>
    new Promise((done) =>
      server?.getConnections((_, count) => {
        done(count);
      }),
    );

  /** What comes back until the server ends the connection. */
  async function reply(socket: Socket): Promise<string> {
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
    await within('the server has ended its side', 5000, once(socket, 'end'));
    socket.end();
    return text;
  }

  it('answers a line as soon as its end is there', async () => {
    for (const end of ['\n', '\r\n', '\r', '\n/primary\n']) {
      const socket = await open(LONG_MS);
      socket.write(`/replica${end}`);
      assert.equal(await reply(socket), 'up ready 100%\n');
      assert.deepEqual(asked.splice(0), [{ kind: 'line', text: '/replica' }], JSON.stringify(end));
    }
  });

  it('answers a line that comes byte by byte', async () => {
    const socket = await open(LONG_MS);
    const answered = reply(socket);
    for (const byte of '/replica?lag=1\n') {
      await new Promise((written) => socket.write(byte, written));
    }
    await answered;
    assert.deepEqual(asked, [{ kind: 'line', text: '/replica?lag=1' }]);
  });

  it('answers who says nothing, when the wait is over', async () => {
    const socket = await open(10);
    assert.equal(await reply(socket), 'up ready 100%\n');
    assert.deepEqual(asked, [{ kind: 'nothing' }]);
  });

  it('answers who has closed its side, without a wait', async () => {
    const silent = await open(LONG_MS);
    silent.end();
    await reply(silent);
    const talking = await open(LONG_MS);
    talking.end('/replica');
    await reply(talking);
    assert.deepEqual(asked, [{ kind: 'nothing' }, { kind: 'line', text: '/replica' }]);
  });

  it('takes a line without its end for none', async () => {
    const socket = await open(1000);
    socket.write('/replica');
    await reply(socket);
    assert.deepEqual(asked, [{ kind: 'line-without-end' }]);
  });

  it('hears a line that came in time, although it is late itself', async () => {
    const socket = await open(500);
    const answered = reply(socket);
    await eventually('it is accepted', 5000, async () => (await connections()) === 1, 1);
    socket.write('/replica\n');
    const untilMs = performance.now() + 700;
    while (performance.now() < untilMs); // the event loop stands still, which is the server's, too
    await answered;
    assert.deepEqual(asked, [{ kind: 'line', text: '/replica' }]);
  });

  it('reads no line of more than 2,048 characters, and ends who goes on', async () => {
    const socket = await open(LONG_MS);
    socket.write('x'.repeat(2049));
    assert.equal(await reply(socket), 'up ready 100%\n');
    assert.deepEqual(asked, [{ kind: 'line-too-long' }]);
    const flood = await open(LONG_MS);
    const closed = new Promise((resolve) => flood.once('close', resolve)); // after an error: a reset
    flood.resume();
    flood.write('x'.repeat(10_000_000));
    await within('ended', 5000, closed);
    assert.equal(asked.length, 2);
  });

  it('ends who does not go', async () => {
    const socket = await open(10);
    socket.resume();
    await once(socket, 'end');
    await eventually('the connection is gone', 5000, async () => (await connections()) === 0);
  });

  it('answers nobody who is gone', async () => {
    const socket = await open(1000);
    socket.resetAndDestroy();
    const next = await open(1000);
    await reply(next);
    assert.equal(asked.length, 1);
  });

  it('tells of each reply, and to whom', async () => {
    const socket = await open(LONG_MS);
    socket.write('/primary\n');
    await reply(socket);
    assert.deepEqual(replies, [[{ route: '/primary', state: 'up', line: 'up ready 100%' }, '127.0.0.1']]);
  });
});
