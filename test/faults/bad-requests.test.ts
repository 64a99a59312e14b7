import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { type Service, startService } from '../support/processes/service.js';
import { type Upstream, startUpstream } from '../support/upstreams/upstream.js';
import { eventually, within } from '../support/time/wait.js';

/** Request lines, and the status that comes back, unless the connection is closed without one: 400 if not told. */
const REQUEST_LINES: readonly (readonly [name: string, line: string, status?: number | 'closed'])[] = [
  ['an absolute URI without a path', 'GET http://localhost HTTP/1.1'],
  ['an absolute URI of another scheme', 'GET ftp://localhost/primary HTTP/1.1'],
  ['two slashes after an authority', 'GET http://localhost//primary HTTP/1.1', 404],
  ['two slashes, and a host', 'GET //localhost/primary HTTP/1.1', 404],
  ['an encoded NUL', 'GET /primary%00 HTTP/1.1', 404],
  ['an encoded NUL in a query', 'GET /my-primary?tag_a=%00%0d%0aX:%20y HTTP/1.1', 404],
  ['a way up', 'GET /../primary HTTP/1.1', 404],
  ['an encoded way up', 'GET /%2e%2e/primary HTTP/1.1', 404],
  ['a backslash', 'GET \\primary HTTP/1.1'],
  ['an asterisk', 'GET * HTTP/1.1'],
  ['OPTIONS of an asterisk', 'OPTIONS * HTTP/1.1'],
  ['a URL of 100 kB', `GET /primary?${'x'.repeat(100_000)} HTTP/1.1`, 431],
  ['a query of 3 kB', `GET /replica?tag_a=${'x'.repeat(3000)} HTTP/1.1`],
  ['a NUL', 'GET /primary\0 HTTP/1.1'],
  ['control bytes', 'GET /primary\x01\x1b[31m\x07 HTTP/1.1'],
  ['control bytes in a query', 'GET /replica?tag_a=\x1b]0;x\x07 HTTP/1.1'],
  ['a tab', 'GET /replica?tag_a=a\tb HTTP/1.1'],
  ['a carriage return', 'GET /primary\rX HTTP/1.1'],
  ['UTF-8 in a query', 'GET /replica?tag_a=\xc3\xa9 HTTP/1.1'],
  ['broken UTF-8 in a query', 'GET /replica?tag_a=\xff\xfe HTTP/1.1'],
  ['a fragment', 'GET /replica?lag=1#x HTTP/1.1'],
  ['a percent sign alone', 'GET /replica?tag_a=100% HTTP/1.1'],
  ['no version', 'GET /primary'],
  ['a version to come', 'GET /primary HTTP/2.0'],
  ['no path', 'GET  HTTP/1.1'],
  ['a space in the path', 'GET /primary x HTTP/1.1'],
  ['a method in lower case', 'get /primary HTTP/1.1'],
  ['nothing but a NUL', '\0'],
  ['a TLS handshake', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0'],
  ['a scheme of its own', 'GET javascript:alert(1) HTTP/1.1'],
  ['an authority', 'CONNECT patroni:8008 HTTP/1.1'],
];

describe('a request that is none', () => {
  let upstream: Upstream;
  let service: Service;
  before(async () => {
    upstream = await startUpstream();
    const backend = { host: '127.0.0.1', port: upstream.port };
    service = await startService({ config: { backend }, flags: ['--debug'] });
    await eventually('a first answer', 5000, async () => (await service.get('/primary')).status === 200);
  });
  after(async () => {
    await service.close();
    await upstream.close();
  });

  /** All that comes back, up to the end of the connection. */
  function exchange(bytes: string): Promise<string> {
    const socket = connect(service.port, '127.0.0.1').on('error', () => undefined);
    const read = new Promise<string>((resolve) => {
      let text = '';
      socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
      socket.once('close', () => {
        resolve(text);
      });
    });
    socket.write(Buffer.from(bytes, 'latin1'));
    return within('the connection is closed', 9000, read);
  }

  for (const [name, line, status = 400] of REQUEST_LINES) {
    it(`is refused, and no more comes of it: ${name}`, async () => {
      const text = await exchange(`${line}\r\nConnection: close\r\n\r\n`);
      assert.equal(/^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1] ?? (text === '' ? 'closed' : text), String(status));
      assert.equal((await service.get('/primary')).status, 200);
    });
  }

  it('has caused no poll, and no line of the log with a control character in it', () => {
    const polled = new Set(upstream.requests.map((head) => head.split(' ', 2)[1]));
    assert.deepEqual([...polled].sort(), ['/config', '/primary', '/read-only', '/replica']); // the first for its timings
    const lines = service.output().split('\n');
    assert.ok(lines.some((line) => line.includes('/my-primary?tag_a=%00%0d%0a')));
    assert.deepEqual(
      lines.filter((line) => /\p{Cc}/u.test(line) || line.includes(' error: ')),
      [],
    );
  });
});
