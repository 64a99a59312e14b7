import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type Socket, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, afterEach, before, describe, it } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { ListenError } from '../../src/errors.js';
import type { AccessEntry } from '../../src/http/access-log.js';
import { type FrontEnd, type FrontEndOptions, listen } from '../../src/http/frontend.js';
import { tlsOptions } from '../../src/http/tls.js';
import { limitConnections } from '../../src/sockets/open-connections.js';
import { createCertificates } from '../support/certificates.js';
import { eventually, within } from '../support/time/wait.js';
import type { Reply } from '../../src/http/types.js';

const REPLY: Reply = { status: 200, headers: { 'Content-Type': 'text/plain', 'Content-Length': 7 }, body: 'primary' };
const REFUSAL: Reply = { status: 413, headers: { 'Content-Length': 0, Connection: 'close' }, body: '' };

const dir = mkdtempSync(join(tmpdir(), 'patroniglue-frontend-'));
let tls: ReturnType<typeof tlsOptions>;
before(async () => {
  const { server } = await createCertificates(dir);
  const pem = (file: string): string => readFileSync(file, 'utf8');
  tls = tlsOptions({ cert: pem(server.cert), key: pem(server.key), minVersion: 'TLSv1.2' });
});
after(() => {
  rmSync(dir, { recursive: true });
});

for (const scheme of ['http', 'https'] as const) {
  describe(`the front end over ${scheme}`, () => {
    let frontEnd: FrontEnd;
    const sockets: Socket[] = [];
    const tcpOf = new WeakMap<Socket, Socket>();
    afterEach(async () => {
      for (const socket of sockets.splice(0)) socket.destroy();
      await frontEnd.close(0);
    });

    async function start(options: Partial<FrontEndOptions> = {}): Promise<void> {
      const handle: FrontEndOptions['handle'] = ({ hasBody }) => (hasBody ? REFUSAL : REPLY);
      frontEnd = await listen({ host: '127.0.0.1', port: 0, handle, ...(scheme === 'https' && { tls }), ...options });
    }

    function port(): number {
      return Number(frontEnd.addresses[0]?.split(':').at(-1));
    }

    async function open(): Promise<Socket> {
      const tcp = connect(port(), '127.0.0.1');
      const socket = scheme === 'http' ? tcp : connectTls({ socket: tcp, rejectUnauthorized: false });
      sockets.push(socket);
      tcpOf.set(socket, tcp);
      for (const each of [tcp, socket]) each.on('error', () => undefined);
      await within('connected', 5000, once(socket, scheme === 'http' ? 'connect' : 'secureConnect'));
      return socket;
    }

    /** What comes back until the front end closes the connection. */
    async function read(socket: Socket): Promise<string> {
      let text = '';
      socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
      if (!socket.destroyed) await within('closed by the front end', 9000, once(socket, 'close'));
      return text;
    }

    async function exchange(bytes: string): Promise<string> {
      const socket = await open();
      const reading = read(socket);
      socket.write(bytes);
      return reading;
    }

    const CLOSE = 'Connection: close\r\n';
    for (const [name, request, body] of [
      ['`option httpchk` (OPTIONS / HTTP/1.0)', 'OPTIONS / HTTP/1.0\r\n\r\n', ''],
      ['GET HTTP/1.0', 'GET /primary HTTP/1.0\r\n\r\n', 'primary'],
      ['HEAD HTTP/1.0', 'HEAD /primary HTTP/1.0\r\n\r\n', ''],
      ['HTTP/1.1 without Host (`http-check send ver HTTP/1.1`)', `GET /primary HTTP/1.1\r\n${CLOSE}\r\n`, 'primary'],
      ['HTTP/1.1 with Host', `GET /primary HTTP/1.1\r\nHost: h\r\n${CLOSE}\r\n`, 'primary'],
      ['OPTIONS HTTP/1.1', `OPTIONS /primary HTTP/1.1\r\nHost: h\r\n${CLOSE}\r\n`, ''],
      ['a body announced as empty', `GET /primary HTTP/1.1\r\nContent-Length: 0\r\n${CLOSE}\r\n`, 'primary'],
    ] as const) {
      it(`answers ${name}`, async () => {
        await start();
        const [head = '', received] = (await exchange(request)).split('\r\n\r\n');
        assert.match(head, /^HTTP\/1\.1 200 OK\r\nContent-Type: text\/plain\r\n/);
        assert.equal(received, body);
        assert.match(head, request.startsWith('OPTIONS') ? /^Content-Length: 0\r$/m : /^Content-Length: 7\r$/m);
      });
    }

    it('answers one request after another on a kept connection, pipelined ones in order', async () => {
      await start();
      const once = 'GET /primary HTTP/1.1\r\nHost: h\r\n\r\n';
      const text = await exchange(`${once}${once}GET /primary HTTP/1.1\r\nHost: h\r\n${CLOSE}\r\n`);
      assert.equal(text.match(/HTTP\/1\.1 200 OK/g)?.length, 3);
    });

    for (const [name, bytes] of [
      ['a body', 'GET /primary HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello'],
      [
        'a body that it asks leave to send',
        'GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n',
      ],
      ['a chunked body that never comes', 'GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ] as const) {
      it(`refuses ${name} unread, and closes`, async () => {
        await start();
        assert.match(await exchange(bytes), /^HTTP\/1\.1 413 /);
      });
    }

    for (const [name, bytes, status] of [
      ['nonsense', 'hello\r\n\r\n', 400],
      ['a length beside chunks', 'GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n', 400],
      ['headers over the limit', `GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ] as const) {
      it(`answers ${name} with ${status} and closes`, async () => {
        await start();
        assert.match(await exchange(bytes), new RegExp(`^HTTP/1\\.1 ${status} `));
      });
    }

    it('takes no harm from a client that resets as soon as it has the status line, as HAProxy does', async () => {
      await start();
      for (let count = 0; count < 50; count += 1) {
        const socket = await open();
        socket.write('OPTIONS / HTTP/1.0\r\n\r\n');
        await within('a reply', 5000, once(socket, 'data'));
        tcpOf.get(socket)?.resetAndDestroy();
      }
      assert.match(await exchange('GET / HTTP/1.0\r\n\r\n'), /^HTTP\/1\.1 200 /);
    });

    it('rids itself within seconds of clients that say nothing, or too little', async () => {
      await start();
      const clients = await Promise.all([open(), open(), open()]);
      clients[1].write('GET / HT');
      clients[2].write('GET / HTTP/1.1\r\nX-Slow: 1\r\n');
      const texts = await Promise.all(clients.map(read));
      for (const text of texts) assert.match(text, /^$|^HTTP\/1\.1 408 /);
    });

    it('ends the oldest connection when there are too many, and goes on answering', async () => {
      await start({ connections: limitConnections(3) });
      const oldest = await open();
      const ended = once(oldest, 'close');
      await Promise.all([open(), open()]);
      const answered = exchange('GET / HTTP/1.0\r\n\r\n');
      await within('the oldest is ended', 5000, ended);
      assert.match(await answered, /^HTTP\/1\.1 200 /);
    });

    it('tells of every reply: who asked what, and what came of it', async () => {
      const entries: AccessEntry[] = [];
      await start({ onReply: (entry) => entries.push(entry) });
      await exchange('GET /replica?lag=1 HTTP/1.0\r\n\r\n');
      assert.equal(entries.length, 1);
      const [{ tookUs, ...entry } = { tookUs: -1 }] = entries;
      assert.deepEqual(entry, { address: '127.0.0.1', method: 'GET', target: '/replica?lag=1', status: 200 });
      assert.ok(tookUs >= 0);
    });

    // Over TLS, the reset would race the end of the handshake.
    if (scheme === 'http') {
      it('tells of the address of a client that resets before it has the reply', async () => {
        const entries: AccessEntry[] = [];
        await start({ onReply: (entry) => entries.push(entry) });
        const socket = await open();
        await sleep(0); // the front end has accepted it
        socket.write('GET / HTTP/1.0\r\n\r\n');
        tcpOf.get(socket)?.resetAndDestroy();
        await eventually('a reply', 5000, () => entries.length === 1);
        assert.equal(entries[0]?.address, '127.0.0.1');
      });
    }

    it('closes in time although a client is silent, or in the middle of its handshake', async () => {
      await start();
      const silent = connect(port(), '127.0.0.1').on('error', () => undefined);
      await within('connected', 5000, once(silent, 'connect'));
      const ended = once(silent, 'close');
      await within('closed', 2000, frontEnd.close(100));
      await within('the client is ended', 2000, ended);
    });

    it('closes: no new connections, idle ones ended', async () => {
      await start();
      const idle = await open();
      const ended = once(idle, 'close');
      await within('closed', 2000, frontEnd.close(500));
      await within('the idle connection is ended', 2000, ended);
      const late = connect(port(), '127.0.0.1');
      const [error] = (await within('refused', 2000, once(late, 'error'))) as [NodeJS.ErrnoException];
      assert.equal(error.code, 'ECONNREFUSED');
    });
  });
}

describe('listen', () => {
  const handle = (): Reply => REPLY;

  it('listens at every address of a name, on one port', async () => {
    const addresses = ['127.0.0.1', '::1'];
    const frontEnd = await listen({ host: 'patroni.test', port: 0, handle, resolve: () => Promise.resolve(addresses) });
    try {
      const [v4, v6] = frontEnd.addresses;
      assert.equal(v6, v4?.replace('127.0.0.1', '[::1]'));
    } finally {
      await frontEnd.close(0);
    }
  });

  it('says so and goes on where one of several addresses is not on this host', async () => {
    const addresses = ['127.0.0.1', '2001:db8::1'];
    const warnings: string[] = [];
    const frontEnd = await listen({
      host: 'patroni.test',
      port: 0,
      handle,
      resolve: () => Promise.resolve(addresses),
      onSkipped: (warning) => warnings.push(warning),
    });
    await frontEnd.close(0);
    assert.equal(frontEnd.addresses.length, 1);
    assert.match(warnings.join(), /^not listening on 2001:db8::1: /);
  });

  it('fails in a sentence when the port is taken', async () => {
    const first = await listen({ host: '127.0.0.1', port: 0, handle });
    const port = Number(first.addresses[0]?.split(':')[1]);
    await assert.rejects(listen({ host: '127.0.0.1', port, handle }), (error) => {
      assert.ok(error instanceof ListenError);
      assert.match(error.message, /^cannot listen on 127\.0\.0\.1 port \d+: the port is taken/);
      return true;
    });
    await first.close(0);
  });

  it('fails in a sentence when the name has no address, or none that is on this host', async () => {
    const unknown = Object.assign(new Error('getaddrinfo ENOTFOUND x'), { code: 'ENOTFOUND' });
    const none = listen({ host: 'x', port: 0, handle, resolve: () => Promise.reject(unknown) });
    await assert.rejects(none, {
      name: 'ListenError',
      message: /^cannot listen on x: the name is not known; set fron/,
    });
    const elsewhere = () => Promise.resolve(['198.51.100.1', '2001:db8::1']);
    await assert.rejects(listen({ host: 'x', port: 0, handle, resolve: elsewhere }), {
      name: 'ListenError',
      message: /^cannot listen on x: none of its addresses \(198\.51\.100\.1, 2001:db8::1\) is on this host; set front/,
    });
    await assert.rejects(listen({ host: '2001:db8::1', port: 0, handle }), { name: 'ListenError' });
  });
});
