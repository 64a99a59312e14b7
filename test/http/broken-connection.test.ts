import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { NEVER } from 'rxjs';
import type { Breakage } from '../../src/http/broken-connection.js';
import { type FrontEnd, type FrontEndOptions, listen } from '../../src/http/frontend.js';
import { tlsOptions } from '../../src/http/tls.js';
import { createCertificates, withoutOpenssl } from '../support/certificates.js';
import { eventually, within } from '../support/time/wait.js';

const withoutTls = await withoutOpenssl();

type Broken = readonly [breakage: Breakage, address: string, detail: string];

const GET = 'GET /primary HTTP/1.1\r\nHost: h\r\n\r\n';
const CLIENT_HELLO = '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03';

describe('a connection that ends before it is a request', () => {
  let frontEnd: FrontEnd;
  let broken: Broken[];
  afterEach(() => frontEnd.close(0));

  async function start(options: Partial<FrontEndOptions> = {}): Promise<void> {
    broken = [];
    frontEnd = await listen({
      host: '127.0.0.1',
      port: 0,
      handle: () => ({ status: 200, headers: { 'Content-Length': 2 }, body: 'ok' }),
      onBroken: (...one) => broken.push(one),
      ...options,
    });
  }
  const port = (): number => Number(frontEnd.addresses[0]?.split(':').at(-1));

  /** Sends these bytes, or none, and returns all that comes until the end. */
  async function exchange(bytes: string, end: 'wait' | 'close' | 'reset' = 'wait'): Promise<string> {
    let text = '';
    const socket = connect(port(), '127.0.0.1').on('error', () => undefined);
    socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
    const closed = once(socket, 'close');
    await within('connected', 5000, once(socket, 'connect'));
    if (bytes !== '') await new Promise((written) => socket.write(bytes, 'latin1', written));
    if (end === 'close') socket.end();
    if (end === 'reset') socket.resetAndDestroy();
    await within('closed', 15_000, closed);
    return text;
  }
  const told = (): Promise<unknown> => eventually('it is told of', 5000, () => broken.length > 0, 5);

  it('has no body in the reply where it began with HEAD', async () => {
    await start();
    const text = await exchange('HEAD /replica?tag_\xc3\xa9=1 HTTP/1.0\r\n\r\n');
    assert.match(text, /^HTTP\/1\.1 400 Bad Request\r\n/);
    assert.ok(text.endsWith('\r\n\r\n'), text);
  });

  const PLAIN: readonly (readonly [string, bytes: string, Breakage, status: number, said: RegExp])[] = [
    ['TLS', CLIENT_HELLO, 'tls-on-plain', 400, /speaks TLS, and this port is plain HTTP/],
    ['a LF after the request line', 'GET / HTTP/1.0\n\n', 'bare-line-feed', 400, /LF alone.*\\r\\n/],
    ['a LF after a header', 'GET / HTTP/1.0\r\nHost: h\n\r\n', 'bare-line-feed', 400, /LF alone/],
    ['a LF at the end', 'GET / HTTP/1.0\r\nHost: h\r\n\n', 'bare-line-feed', 400, /LF alone/],
    ['a space in the path', 'GET /a b HTTP/1.1\r\n\r\n', 'malformed', 400, /no HTTP request \(Expected HTTP/],
    ['another language', 'EHLO example.org\r\n', 'malformed', 400, /no HTTP request/],
    ['CONNECT', 'CONNECT h:1 HTTP/1.1\r\n\r\n', 'malformed', 400, /CONNECT/],
    ['headers without end', `GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}`, 'too-large', 431, /over 8 kB/],
    ['a request without end', 'GET / HTTP/1.1\r\nX: y\r\n', 'too-slow', 408, /over 5 s/],
    ['a PROXY header', `PROXY TCP4 10.0.0.5 10.0.0.6 1 2\r\n${GET}`, 'proxy-header', 400, /not expected/],
  ];
  for (const [name, bytes, breakage, status, said] of PLAIN) {
    it(`is told of, and answered with what is wrong, at a port of plain HTTP: ${name}`, async () => {
      await start();
      const text = await exchange(bytes);
      assert.match(text, new RegExp(`^HTTP/1\\.1 ${status} .*Content-Type: text/plain.*\r\n\r\n[^\r\n]*\n$`, 's'));
      assert.match(text, said);
      assert.deepEqual(
        broken.map(([what, address]) => [what, address]),
        [[breakage, '127.0.0.1']],
      );
    });
  }

  it('is told of, also when nobody waits for the reply: a request that is cut off', async () => {
    await start();
    await exchange('GET / HT', 'close');
    await told();
    const [[what, address, detail] = []] = broken;
    assert.deepEqual([broken.length, what, address], [1, 'malformed', '127.0.0.1']);
    assert.match(detail ?? '', /EOF/);
  });

  for (const end of ['close', 'reset'] as const) {
    it(`is told of with its address when it said nothing: ${end}`, async () => {
      await start();
      await exchange('', end);
      await told();
      assert.deepEqual(broken, [['silent', '127.0.0.1', '']]);
    });
  }

  it('is no request that was answered, whatever comes after it', async () => {
    await start();
    await exchange('GET / HTTP/1.0\r\n\r\n', 'close');
    await exchange('GET / HTTP/1.1\r\nConnection: close\r\n\r\nmore');
    for (let count = 0; count < 20; count += 1) {
      const socket = connect(port(), '127.0.0.1').on('error', () => undefined);
      socket.write('OPTIONS / HTTP/1.0\r\n\r\n');
      await within('a reply', 5000, once(socket, 'data'));
      socket.resetAndDestroy(); // as HAProxy does
    }
    await exchange('hello\r\n\r\n');
    assert.deepEqual(
      broken.map(([what]) => what),
      ['malformed'],
      'the last one alone',
    );
  });

  it('does not write into a reply that has begun', async () => {
    await start({ handle: () => ({ status: 200, headers: {}, body$: NEVER }) });
    const text = await exchange('GET /stream HTTP/1.1\r\n\r\nnonsense\r\n\r\n');
    assert.doesNotMatch(text, /400/);
    assert.deepEqual(
      broken.map(([what]) => what),
      ['malformed'],
    );
  });

  describe('over TLS', { skip: withoutTls }, () => {
    const dir = mkdtempSync(join(tmpdir(), 'patroniglue-broken-'));
    let tls: ReturnType<typeof tlsOptions>;
    before(async () => {
      const { server } = await createCertificates(dir);
      const pem = (file: string): string => readFileSync(file, 'utf8');
      tls = tlsOptions({ cert: pem(server.cert), key: pem(server.key), minVersion: 'TLSv1.2' });
    });
    after(() => {
      rmSync(dir, { recursive: true });
    });

    for (const [name, bytes] of [
      ['GET', GET],
      ["HAProxy's OPTIONS", 'OPTIONS / HTTP/1.0\r\n\r\n'],
      ['another language', 'EHLO example.org\r\n'],
    ] as const) {
      it(`is told of, and gets a 400 in plain text that says so: ${name} without TLS`, async () => {
        await start({ tls });
        const text = await exchange(bytes);
        assert.match(text, /^HTTP\/1\.1 400 Bad Request\r\nContent-Type: text\/plain.*this port is HTTPS.*\n$/s);
        assert.deepEqual(
          broken.map(([what, address]) => [what, address]),
          [['plain-on-tls', '127.0.0.1']],
        );
      });
    }

    /** A handshake of OpenSSL's client, to its end. */
    async function shakeHands(...args: readonly string[]): Promise<void> {
      const all = ['s_client', '-connect', `127.0.0.1:${port()}`, ...args];
      await within('openssl has ended', 15_000, once(spawn('openssl', all, { stdio: 'ignore' }), 'close'));
    }

    for (const [breakage, args] of [
      ['tls-version', ['-tls1_1', '-cipher', 'DEFAULT@SECLEVEL=0']],
      ['tls-ciphers', ['-tls1_2', '-cipher', 'ECDHE-RSA-AES128-GCM-SHA256']],
      ['tls-certificate', ['-tls1_2', '-verify_return_error', '-no-CApath', '-no-CAfile', '-no-CAstore']],
      ['tls-certificate', ['-tls1_3', '-verify_return_error', '-no-CApath', '-no-CAfile', '-no-CAstore']],
    ] as const) {
      it(`is told of with address and reason: ${breakage} (openssl ${args[0]})`, async () => {
        await start({ tls });
        await shakeHands(...args);
        await told();
        const [[what, address, detail] = []] = broken;
        assert.deepEqual([broken.length, what, address], [1, breakage, '127.0.0.1']);
        assert.match(detail ?? '', /^[a-z0-9 ]+$/, "OpenSSL's own words");
      });
    }

    it('is told of when it ends in the middle of a handshake, as that of Node does that trusts nobody', async () => {
      await start({ tls });
      const client = connectTls(port(), '127.0.0.1');
      await within('refused by the client', 5000, once(client, 'error'));
      await told();
      await exchange(CLIENT_HELLO, 'close');
      await eventually('both are told of', 5000, () => broken.length > 1, 5);
      for (const [what, address] of broken) assert.deepEqual([what, address], ['tls-cut-off', '127.0.0.1']);
    });

    for (const end of ['close', 'reset', 'wait'] as const) {
      it(`is told of once when it said nothing: ${end}`, async () => {
        await start({ tls });
        await exchange('', end);
        await told();
        await exchange(GET);
        assert.deepEqual(
          broken.map(([what, address]) => [what, address]),
          [
            ['silent', '127.0.0.1'],
            ['plain-on-tls', '127.0.0.1'],
          ],
        );
      });
    }

    it('is no request that was answered', async () => {
      await start({ tls });
      const client = connectTls({ port: port(), host: '127.0.0.1', rejectUnauthorized: false });
      client.write('GET / HTTP/1.0\r\n\r\n');
      await within('a reply', 5000, once(client, 'data'));
      client.on('error', () => undefined).destroy();
      await exchange(GET);
      assert.deepEqual(
        broken.map(([what]) => what),
        ['plain-on-tls'],
      );
    });
  });
});
