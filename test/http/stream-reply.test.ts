import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Socket, connect } from 'node:net';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { Subject, finalize } from 'rxjs';
import { type FrontEnd, listen } from '../../src/http/frontend.js';
import { textReply } from '../../src/http/reply.js';
import { ask } from '../support/clients/http-get.js';
import { eventually, within } from '../support/time/wait.js';
import type { PageReply } from '../../src/http/types.js';

const STREAMS = 16;

describe('a reply that goes on', () => {
  let frontEnd: FrontEnd;
  let text$: Subject<string>;
  let port: number;
  let sockets: Socket[];
  /** Told of each stream of this test that has ended. */
  let left: string[];

  beforeEach(async () => {
    text$ = new Subject();
    sockets = [];
    const ended: string[] = []; // those of the test before may end in this one
    left = ended;
    const replies: Record<string, () => PageReply> = {
      '/stream': () => ({
        status: 200,
        headers: { 'Content-Type': 'text/event-stream' },
        body$: text$.pipe(finalize(() => ended.push('/stream'))),
      }),
      '/made': () => Promise.resolve(textReply(200, 'made')),
      '/broken': () => Promise.reject(new Error('a bug')),
    };
    const handle = ({ target }: { target: string }): PageReply => replies[target]?.() ?? textReply(200, 'at once');
    frontEnd = await listen({ host: '127.0.0.1', port: 0, handle });
    port = Number(frontEnd.addresses[0]?.split(':').at(-1));
  });
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    await frontEnd.close(0);
  });

  async function watch(method = 'GET'): Promise<{ socket: Socket; received: () => string }> {
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    socket.on('error', () => undefined);
    let text = '';
    socket.write(`${method} /stream HTTP/1.1\r\nHost: x\r\n\r\n`);
    const [first] = (await within('the headers', 5000, once(socket, 'data'))) as [Buffer];
    text += first.toString();
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    return { socket, received: () => text };
  }

  it('begins at once, sends each text as it comes, and ends with its source', async () => {
    const { socket, received } = await watch();
    assert.match(received(), /^HTTP\/1\.1 200 OK\r\n/);
    text$.next('ä one\n');
    await eventually('the first', 5000, () => received().includes('ä one\n'));
    text$.next('two\n');
    text$.complete();
    await eventually('the end', 5000, () => received().endsWith('two\n\r\n0\r\n\r\n'));
    socket.destroy();
  });

  it('is left when the client goes', async () => {
    const { socket } = await watch();
    assert.equal(text$.observed, true);
    socket.destroy();
    await eventually('nobody subscribes', 5000, () => !text$.observed);
  });

  it('keeps little for a client that does not read, and delays no other', async () => {
    const { socket } = await watch();
    socket.pause();
    const before = process.memoryUsage().external + process.memoryUsage().heapUsed;
    const bytes = Buffer.alloc(100_000, 'x');
    for (let sent = 0; sent < 500; sent += 1) {
      text$.next(bytes.toString('latin1')); // another text each time
      if (sent % 50 === 0) assert.equal((await ask(port, '/')).status, 200);
      else await new Promise((resolve) => setImmediate(resolve));
    }
    const grownMB = (process.memoryUsage().external + process.memoryUsage().heapUsed - before) / 1e6;
    assert.ok(grownMB < 40, `${grownMB.toFixed(1)} MB of 50 are kept`);
  });

  it('is for so many at a time: one more ends the oldest', async () => {
    const first = await watch();
    const closed = once(first.socket, 'close');
    for (let more = 0; more < STREAMS; more += 1) await watch();
    await within('the oldest is ended', 5000, closed);
    assert.equal((await ask(port, '/')).status, 200);
  });

  it('ends for a client that has read nothing for 30 seconds, and goes on for one that reads', async () => {
    const setTimeoutOf = Reflect.get<Socket, 'setTimeout'>(Socket.prototype, 'setTimeout');
    const hurry = mock.method(Socket.prototype, 'setTimeout', function (this: Socket, ms: number, ended?: () => void) {
      return setTimeoutOf.call(this, ms === 30_000 ? 1500 : ms, ended);
    });
    try {
      const idle = await watch();
      idle.socket.pause();
      const reader = await watch();
      const text = 'x'.repeat(300_000);
      await eventually('the one that does not read is left', 20_000, () => {
        text$.next(text);
        return left.length > 0;
      });
      await eventually('the other goes on', 5000, () => {
        text$.next('still here\n');
        return reader.received().includes('still here\n');
      });
      assert.equal(left.length, 1);
    } finally {
      hurry.mock.restore();
    }
  });

  it('has its status and headers alone for HEAD', async () => {
    const reply = await ask(port, '/stream', { method: 'HEAD' });
    assert.equal(reply.status, 200);
    assert.equal(text$.observed, false);
  });

  it('is not needed for a page that takes a while: that is sent when it is made, or the connection ended', async () => {
    const reply = await ask(port, '/made');
    assert.equal(reply.kind === 'reply' ? reply.body : '', 'made');
    assert.equal((await ask(port, '/broken')).kind, 'failure');
  });
});
