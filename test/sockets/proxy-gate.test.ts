import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type Socket, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { after, afterEach, before, describe, it } from 'node:test';
import { connect as connectTls } from 'node:tls';
import type { AccessEntry } from '../../src/http/access-log.js';
import { type FrontEnd, listen } from '../../src/http/frontend.js';
import { tlsOptions } from '../../src/http/tls.js';
import { createProxyGate } from '../../src/sockets/proxy-gate.js';
import { createCertificates, withoutOpenssl } from '../support/certificates.js';
import { within } from '../support/time/wait.js';
import type { CheckRequest } from '../../src/http/types.js';

const withoutTls = await withoutOpenssl();
const HEADER = 'PROXY TCP4 10.0.0.5 10.0.0.11 56324 8009\r\n';
const latin1 = (hex: string): string => Buffer.from(hex, 'hex').toString('latin1');
const V2 = latin1('0d0a0d0a000d0a515549540a' + '2111000c' + '0a0000050a00000bc3501f49');
const V2_LOCAL = latin1('0d0a0d0a000d0a515549540a' + '20000000');
const GET = 'GET /primary HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n';

const dir = mkdtempSync(join(tmpdir(), 'patroniglue-proxy-'));
after(() => {
  rmSync(dir, { recursive: true });
});

/** A connection as a server sees it, whose ends are as told: it ends when the test says so, and not when a kernel does. */
function connectionOf(remotePort: number): Socket {
  const ends = { remoteAddress: '127.0.0.1', remotePort, localAddress: '127.0.0.1', localPort: 8009 };
  return Object.assign(new Duplex({ read: () => undefined }), ends) as unknown as Socket;
}

describe('the client that a header names', () => {
  const gate = createProxyGate({
    isExpected: () => true,
    onRefused: (address, why) => assert.fail(`${address}: ${why}`),
    onUnexpected: (address) => assert.fail(address),
  });
  const server = createServer();
  gate.readHeadersOf(server);
  async function connectedBy(remotePort: number, client: string): Promise<Socket> {
    const connection = connectionOf(remotePort);
    server.emit('connection', connection);
    connection.push(HEADER.replace('10.0.0.5', client));
    await within('the header is read', 5000, once(connection, 'pause'));
    assert.equal(gate.clientOf(connection), client);
    return connection;
  }
  async function end(connection: Socket): Promise<void> {
    const closed = once(connection, 'close');
    connection.destroy();
    await within('closed', 5000, closed);
  }

  it('is that of the connection which has the port now, also when the end of the one before is seen late', async () => {
    const before = await connectedBy(40_000, '10.0.0.5');
    const next = await connectedBy(40_000, '10.0.0.6');
    await end(before);
    assert.equal(gate.clientOf(next), '10.0.0.6');
    await end(next);
    assert.equal(gate.clientOf(connectionOf(40_000)), undefined);
  });

  it('is forgotten with its connection, and not with another', async () => {
    const [one, other] = [await connectedBy(40_001, '10.0.0.5'), await connectedBy(40_002, '10.0.0.6')];
    await end(one);
    assert.deepEqual([gate.clientOf(connectionOf(40_001)), gate.clientOf(other)], [undefined, '10.0.0.6']);
    await end(other);
  });
});

for (const scheme of ['http', 'https'] as const) {
  describe(`a front end over ${scheme} that expects PROXY headers`, { skip: scheme === 'https' && withoutTls }, () => {
    let tls: ReturnType<typeof tlsOptions> | undefined;
    let frontEnd: FrontEnd;
    let isExpected = true;
    const asked: CheckRequest[] = [];
    const entries: AccessEntry[] = [];
    const refused: [string, string][] = [];
    const unexpected: string[] = [];
    const sockets: Socket[] = [];

    before(async () => {
      if (scheme === 'http') return;
      const { server } = await createCertificates(dir);
      const pem = (file: string): string => readFileSync(file, 'utf8');
      tls = tlsOptions({ cert: pem(server.cert), key: pem(server.key), minVersion: 'TLSv1.2' });
    });
    afterEach(async () => {
      for (const socket of sockets.splice(0)) socket.destroy();
      for (const list of [asked, entries, refused, unexpected]) list.length = 0;
      isExpected = true;
      await frontEnd.close(0);
    });

    async function start(host = '127.0.0.1'): Promise<void> {
      frontEnd = await listen({
        host,
        port: 0,
        ...(tls && { tls }),
        handle(request) {
          asked.push(request);
          return { status: 200, headers: { 'Content-Length': 7 }, body: 'primary' };
        },
        onReply: (entry) => entries.push(entry),
        proxyProtocol: {
          isExpected: () => isExpected,
          onRefused: (...told) => refused.push(told),
          onUnexpected: (address) => unexpected.push(address),
        },
      });
    }
    async function open(): Promise<Socket> {
      const socket = connect(Number(frontEnd.addresses[0]?.split(':').at(-1)), '127.0.0.1');
      sockets.push(socket);
      socket.on('error', () => undefined);
      await within('connected', 5000, once(socket, 'connect'));
      return socket;
    }
    const talk = (tcp: Socket): Socket => {
      if (scheme === 'http') return tcp;
      const secure = connectTls({ socket: tcp, rejectUnauthorized: false });
      secure.on('error', () => undefined);
      return secure;
    };
    async function read(socket: Socket): Promise<string> {
      let text = '';
      socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
      await within('closed by the front end', 9000, new Promise((resolve) => socket.once('close', resolve)));
      return text;
    }
    const write = (socket: Socket, bytes: string): Promise<unknown> =>
      new Promise((done) => socket.write(bytes, 'latin1', done));

    for (const [name, header, client] of [
      ['version 1', HEADER, '10.0.0.5'],
      ['version 2', V2, '10.0.0.5'],
      ['LOCAL', V2_LOCAL, '127.0.0.1'],
      ['UNKNOWN', 'PROXY UNKNOWN\r\n', '127.0.0.1'],
    ] as const) {
      it(`answers behind a header, and logs the client that it names: ${name}`, async () => {
        await start();
        const tcp = await open();
        await write(tcp, header);
        const socket = talk(tcp);
        socket.write(GET);
        assert.match(await read(socket), /^HTTP\/1\.1 200 [\s\S]*primary$/);
        assert.deepEqual(
          entries.map(({ address }) => address),
          [client],
        );
        assert.equal(asked[0]?.proxyClient, client === '10.0.0.5' ? client : undefined);
        assert.equal(asked[0]?.connection?.remoteAddress === '10.0.0.5', false, 'the other end is who it is');
      });
    }

    it('reads a header that comes byte by byte, and all that follows', async () => {
      await start();
      const tcp = await open();
      for (const byte of HEADER) await write(tcp, byte);
      const socket = talk(tcp);
      for (const byte of GET) await write(socket, byte);
      assert.match(await read(socket), /^HTTP\/1\.1 200 /);
    });

    if (scheme === 'http') {
      it('answers requests that come together with the header', async () => {
        await start();
        const socket = await open();
        socket.write(`${V2}${GET.replace('Connection: close\r\n', '')}${GET}`, 'latin1');
        assert.equal((await read(socket)).match(/HTTP\/1\.1 200 /g)?.length, 2);
      });

      it('tells who asks without a header what is wrong, and does not hear the question', async () => {
        await start();
        const socket = await open();
        socket.write(GET);
        assert.match(await read(socket), /^HTTP\/1\.1 400 [\s\S]*a PROXY protocol header is expected/);
        assert.deepEqual(refused, [['127.0.0.1', 'the connection begins with other bytes']]);
        assert.equal(asked.length, 0);
      });
    } else {
      it('reads a handshake that comes together with the header', async () => {
        await start();
        const tcp = await open();
        tcp.cork();
        tcp.write(HEADER);
        const socket = talk(tcp);
        socket.write(GET);
        process.nextTick(() => {
          tcp.uncork();
        });
        assert.match(await read(socket), /^HTTP\/1\.1 200 /);
      });
    }

    it('bears who is gone before it is told what is wrong', async () => {
      await start();
      for (const bytes of [GET, 'PROXY TCP4 x\r\n', `${HEADER}${GET}`]) {
        for (let time = 0; time < 20; time += 1) {
          const socket = await open();
          await write(socket, bytes);
          socket.resetAndDestroy();
        }
      }
      const tcp = await open();
      await write(tcp, HEADER);
      const socket = talk(tcp);
      socket.write(GET);
      assert.match(await read(socket), /^HTTP\/1\.1 200 /);
    });

    it('tells apart who comes by one port to two addresses', async () => {
      await start('0.0.0.0');
      const port = Number(frontEnd.addresses[0]?.split(':').at(-1));
      const to = async (host: string, localPort?: number, client = '10.0.0.5'): Promise<Socket> => {
        const options = { port, host, localAddress: '127.0.0.1', ...(localPort !== undefined && { localPort }) };
        const tcp = connect(options);
        sockets.push(tcp);
        tcp.on('error', () => undefined);
        await within('connected', 5000, once(tcp, 'connect'));
        await write(tcp, HEADER.replace('10.0.0.5', client));
        return tcp;
      };
      const first = await to('127.0.0.1');
      const second = await to('127.0.0.2', first.localPort, '10.0.0.6');
      for (const tcp of [first, second]) {
        const socket = talk(tcp);
        socket.write(GET);
        assert.match(await read(socket), /^HTTP\/1\.1 200 /);
      }
      assert.deepEqual(
        entries.map(({ address }) => address),
        ['10.0.0.5', '10.0.0.6'],
      );
    });

    it('ends who sends something else, or a second header', async () => {
      await start();
      for (const bytes of ['\x16\x03\x01\x00', 'PROXY TCP4 x\r\n', '\0']) {
        const socket = await open();
        socket.write(bytes, 'latin1');
        assert.equal(await read(socket), '');
      }
      assert.equal(refused.length, 3);
      const twice = await open();
      twice.write(`${HEADER}${HEADER}${GET}`);
      assert.doesNotMatch(await read(twice), / 200 /);
      assert.equal(asked.length, 0);
    });

    it('ends who sends no whole header within seconds, or closes its side, or says nothing after it', async () => {
      await start();
      const [silent, half, gone, slow] = [await open(), await open(), await open(), await open()];
      half.write('PROXY TC');
      gone.end('PROXY ');
      slow.write(HEADER);
      const [toSlow = '', ...toOthers] = await Promise.all([slow, silent, half, gone].map(read));
      assert.deepEqual(toOthers, ['', '', '']);
      assert.match(toSlow, /^$|^HTTP\/1\.1 408 /);
      assert.deepEqual([asked.length, refused.length], [0, 0]);
    });

    it('takes connections as they are, from when it no longer expects a header', async () => {
      await start();
      isExpected = false;
      const socket = talk(await open());
      socket.write(GET);
      assert.match(await read(socket), /^HTTP\/1\.1 200 /);
      if (scheme === 'https') return;
      for (const header of [HEADER, V2]) {
        const other = await open();
        await write(other, `${header}${GET}`);
        assert.match(await read(other), /^HTTP\/1\.1 400 /);
      }
      const garbage = await open();
      garbage.write('PROXYING / HTTP/1.1\r\n\r\n');
      assert.match(await read(garbage), /^HTTP\/1\.1 400 /);
      assert.deepEqual(unexpected, ['127.0.0.1', '127.0.0.1']);
    });

    it('keeps a connection open between requests, and ends it when it is idle', async () => {
      await start();
      const tcp = await open();
      tcp.write(HEADER);
      const socket = talk(tcp);
      const kept = GET.replace('Connection: close\r\n', '');
      socket.write(kept);
      await within('the first reply', 5000, once(socket, 'data'));
      socket.write(kept);
      assert.match(await read(socket), /^HTTP\/1\.1 200 /);
      assert.deepEqual(
        entries.map(({ address }) => address),
        ['10.0.0.5', '10.0.0.5'],
      );
    });
  });
}
