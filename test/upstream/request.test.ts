import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import type { TlsOptions } from 'node:tls';
import { firstValueFrom, timeout } from 'rxjs';
import { classifyFailure } from '../../src/upstream/failure.js';
import type { ResolveAll } from '../../src/upstream/addresses.js';
import { MAX_BODY_BYTES, MAX_INTERIM, MAX_PARTS } from '../../src/upstream/http-client.js';
import { createRequest } from '../../src/upstream/request.js';
import { fillAcceptQueue } from '../support/upstreams/accept-queue.js';
import { type CertificateFiles, type Certificates, createCertificates } from '../support/certificates.js';
import {
  type Behaviour,
  type Upstream,
  type UpstreamOptions,
  PRIMARY_BODY,
  answering,
  dripping,
  ending,
  flooding,
  pouring,
  resetting,
  silent,
  stalling,
  startUpstream,
} from '../support/upstreams/upstream.js';
import { eventually } from '../support/time/wait.js';
import type { Answer, FailureReason, CanonicalRoute } from '../../src/patroni/types.js';

const PRIMARY = '/primary' as CanonicalRoute;
const upstreams: Upstream[] = [];

afterEach(async () => {
  await Promise.all(upstreams.splice(0).map((upstream) => upstream.close()));
});

async function start(behaviour: Behaviour, options: UpstreamOptions = {}): Promise<Upstream> {
  const upstream = await startUpstream(options);
  upstream.behave(behaviour);
  upstreams.push(upstream);
  return upstream;
}

type Overrides = Partial<Parameters<typeof createRequest>[0]>;

function ask(port: number, route = PRIMARY, overrides: Overrides = {}): Promise<Answer> {
  const tls = { insecure: false };
  const request = createRequest({ scheme: 'http', host: '127.0.0.1', port, connectMs: 5000, tls, ...overrides });
  return firstValueFrom(request(route));
}

async function reasonOf(asking: Promise<Answer>): Promise<FailureReason> {
  return asking.then(
    ({ status }) => assert.fail(`answered ${status}`),
    (cause: unknown) => classifyFailure(cause).reason,
  );
}

describe('createRequest', () => {
  it('gives status, content type and body byte for byte', async () => {
    const body = Buffer.from([0, 255, 13, 10, 0xc3, 0x28]);
    const upstream = await start((socket) => {
      socket.write('HTTP/1.0 503 Service Unavailable\r\nContent-Type: application/octet-stream\r\n\r\n');
      socket.end(body);
    });
    const answer = await ask(upstream.port);
    assert.deepEqual(answer, { status: 503, contentType: 'application/octet-stream', body });
  });

  it('takes an answer of a status line alone, as Patroni gives to /liveness', async () => {
    const upstream = await start(ending('HTTP/1.0 200 OK\r\n\r\n'));
    assert.deepEqual(await ask(upstream.port), { status: 200, body: Buffer.alloc(0) });
  });

  it('accepts every status from 200 to 599 as an answer, and follows no redirect', async () => {
    const upstream = await start(silent);
    for (const status of [200, 204, 301, 302, 307, 304, 400, 401, 404, 500, 502, 503, 599]) {
      upstream.behave(ending(`HTTP/1.0 ${status} X\r\nLocation: http://127.0.0.1:${upstream.port}/other\r\n\r\n`));
      assert.equal((await ask(upstream.port)).status, status);
    }
    assert.ok(upstream.requests.every((head) => head.startsWith('GET /primary HTTP/1.1\r\n')));
  });

  it('takes a status outside of HTTP as a server error, as RFC 9110 section 15 says', async () => {
    const upstream = await start(ending('HTTP/1.0 999 Odd\r\n\r\n'));
    assert.equal((await ask(upstream.port)).status, 502);
  });

  it('asks for exactly the canonical route, uncompressed, and says that it will close', async () => {
    const upstream = await start(answering(200));
    await ask(upstream.port, '/replica?lag=10MB&tag_a=b+c%2B' as CanonicalRoute);
    const [head = ''] = upstream.requests;
    assert.match(head, /^GET \/replica\?lag=10MB&tag_a=b\+c%2B HTTP\/1\.1\r\n/);
    assert.match(head, /^Accept-Encoding: identity\r$/m);
    assert.match(head, /^Connection: close\r$/m);
  });

  it('ignores HTTP_PROXY and friends', async () => {
    const proxy = await start(answering(200, 'from the proxy'));
    const upstream = await start(answering(200));
    const names = ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy'];
    for (const name of names) process.env[name] = `http://127.0.0.1:${proxy.port}`;
    try {
      assert.equal((await ask(upstream.port)).body.toString(), PRIMARY_BODY);
    } finally {
      for (const name of names) Reflect.deleteProperty(process.env, name);
    }
    assert.equal(proxy.requests.length, 0);
  });

  it('closes its connection as soon as the answer is whole, even where the upstream would keep it', async () => {
    const upstream = await start(stalling('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok'));
    await ask(upstream.port);
    await upstream.idle();
    await ask(upstream.port);
    assert.equal(upstream.connections.most, 1);
  });

  it('bounds the body: so many bytes are an answer, one more is a failure that ends the connection', async () => {
    const head = 'HTTP/1.0 200 OK\r\n\r\n';
    const upstream = await start(ending(head + 'x'.repeat(MAX_BODY_BYTES)));
    assert.equal((await ask(upstream.port)).body.length, MAX_BODY_BYTES);
    upstream.behave(ending(head + 'x'.repeat(MAX_BODY_BYTES + 1)));
    assert.equal(await reasonOf(ask(upstream.port)), 'too-large');
    upstream.behave(pouring(100_000_000));
    assert.equal(await reasonOf(ask(upstream.port)), 'too-large');
    await upstream.idle();
  });

  for (const [name, behaviour] of [
    ['says nothing', silent],
    ['stops inside the headers', stalling('HTTP/1.0 200 OK\r\nContent-')],
    ['stops inside the body', stalling('HTTP/1.0 200 OK\r\nContent-Length: 100\r\n\r\nhalf')],
    ['drips its body', dripping(10)],
  ] as const) {
    it(`destroys the socket when unsubscribed from an upstream that ${name}`, async () => {
      const upstream = await start(behaviour);
      const request = createRequest({
        scheme: 'http',
        host: '127.0.0.1',
        port: upstream.port,
        connectMs: 5000,
        tls: { insecure: false },
      });
      const subscription = request(PRIMARY).subscribe({ error: () => assert.fail('failed by itself') });
      await eventually('the request has arrived', 5000, () => upstream.requests.length === 1);
      subscription.unsubscribe();
      await upstream.idle();
    });
  }

  for (const [reason, name, behaviour] of [
    ['reset', 'resets at once', resetting()],
    ['reset', 'resets inside the headers', resetting('HTTP/1.0 200 OK\r\nContent-')],
    ['reset', 'closes without a word', ending('')],
    ['cut-off', 'closes inside a body of known length', ending('HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nhalf')],
    ['cut-off', 'closes inside a chunk', ending('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf')],
    ['cut-off', 'dies inside its JSON', answering(200, PRIMARY_BODY.slice(0, 30))],
    ['cut-off', 'dies before its JSON', answering(200, '')],
    ['malformed', 'speaks another language', ending('SSH-2.0-OpenSSH_9.2\r\n\r\n')],
    ['malformed', 'has endless headers', ending(`HTTP/1.0 200 OK\r\n${'X-A: b\r\n'.repeat(10_000)}\r\n`)],
    [
      'malformed',
      'has a content type with control characters',
      ending('HTTP/1.0 200 OK\r\nContent-Type: a\x01b\r\n\r\n'),
    ],
  ] as const) {
    it(`fails as ${reason} when the upstream ${name}`, async () => {
      const upstream = await start(behaviour);
      assert.equal(await reasonOf(ask(upstream.port)), reason);
      await upstream.idle();
    });
  }

  it('takes JSON whose strings hold brackets and escaped quotes, and numbers that only Python writes', async () => {
    const body = '{"a": "}]\\"{", "b": [NaN, -Infinity]}';
    const upstream = await start(answering(200, body));
    assert.equal((await ask(upstream.port)).body.toString(), body);
  });

  it('fails as refused when nobody listens', async () => {
    const upstream = await startUpstream();
    await upstream.close();
    assert.equal(await reasonOf(ask(upstream.port)), 'refused');
  });

  for (const host of ['127.0.0.1', '::1']) {
    it(`reaches \`localhost\` when Patroni listens on ${host} alone`, async () => {
      const upstream = await start(answering(200), { host });
      assert.equal((await ask(upstream.port, PRIMARY, { host: 'localhost' })).status, 200);
    });
  }

  it('reaches a literal IPv6 address', async () => {
    const upstream = await start(answering(200), { host: '::1' });
    assert.equal((await ask(upstream.port, PRIMARY, { host: '::1' })).status, 200);
    const zoned = await ask(upstream.port, PRIMARY, { host: '::1%lo' });
    assert.equal(zoned.status, 200, 'one with a zone');
  });

  it('has one name look-up under way at most, and nobody waiting for it who was given up', async () => {
    let lookups = 0;
    let release = (): void => assert.fail('no look-up');
    const upstream = await start(answering(200));
    const resolve: ResolveAll = (_hostname, callback) => {
      lookups += 1;
      release = () => {
        callback(null, [{ address: '127.0.0.1', family: 4 }]);
      };
    };
    const tls = { insecure: false };
    const request = createRequest({
      scheme: 'http',
      host: 'patroni.test',
      port: upstream.port,
      connectMs: 5000,
      tls,
      resolve,
    });
    const givenUp = Array.from({ length: 20 }, () => firstValueFrom(request(PRIMARY).pipe(timeout(5))));
    await Promise.allSettled(givenUp);
    assert.equal(lookups, 1);
    const waiting = firstValueFrom(request(PRIMARY));
    release();
    assert.equal((await waiting).status, 200);
    assert.deepEqual([lookups, upstream.requests.length], [1, 1], 'polls that were given up are not sent after all');
    const next = firstValueFrom(request(PRIMARY));
    assert.equal(lookups, 2, 'the next poll looks up anew');
    release();
    assert.equal((await next).status, 200);
  });

  /** A name that is looked up again for each poll. The name server gives the addresses in another order each time. */
  function named(port: number, addresses: readonly string[]) {
    let order = [...addresses];
    const warnings: (string | undefined)[] = [];
    const request = createRequest({
      scheme: 'http',
      host: 'patroni.test',
      port,
      connectMs: 1000,
      tls: { insecure: false },
      resolve(_hostname, callback) {
        callback(
          null,
          order.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 })),
        );
        order = [...order.slice(1), ...order.slice(0, 1)];
      },
      onAddresses: (warning) => warnings.push(warning),
    });
    return {
      warnings,
      status: async () => (await firstValueFrom(request(PRIMARY))).status,
      reason: () => reasonOf(firstValueFrom(request(PRIMARY))),
      has: (next: readonly string[]) => (order = [...next]),
    };
  }

  it('asks the address of a name that answered first, and no other while the name has it, and tells', async () => {
    const node1 = await start(answering(503), { host: '127.0.0.2' });
    await start(answering(200), { host: '127.0.0.3', port: node1.port });
    const name = named(node1.port, ['127.0.0.2', '127.0.0.3']);
    for (let polls = 0; polls < 6; polls += 1) assert.equal(await name.status(), 503);
    assert.match(name.warnings[0] ?? '', /patroni\.test has several addresses \(127\.0\.0\.2, 127\.0\.0\.3\)/);
    name.has(['127.0.0.3']);
    assert.equal(await name.status(), 200, 'the former one is gone');
    assert.match(name.warnings.at(-1) ?? '', /no longer has the address 127\.0\.0\.2/);
    name.has(['127.0.0.2', '127.0.0.3']);
    assert.equal(await name.status(), 200, 'and the new one is kept');
  });

  it('tries the other addresses of a host until one has answered', async () => {
    const { port } = await start(answering(200), { host: '127.0.0.3' });
    const name = named(port, ['127.0.0.2', '127.0.0.3']);
    for (let polls = 0; polls < 4; polls += 1) assert.equal(await name.status(), 200);
  });

  it('does not take the answer of another node of either family while its own refuses', async () => {
    const node1 = await start(answering(503), { host: '127.0.0.2' });
    await start(answering(200), { host: '::1', port: node1.port });
    const name = named(node1.port, ['127.0.0.2', '::1']);
    assert.equal(await name.status(), 503);
    await node1.close();
    for (let polls = 0; polls < 4; polls += 1) assert.equal(await name.reason(), 'refused');
  });

  it('gives up a look-up before the deadline of a poll, by its name: that is no freeze', async () => {
    const resolve: ResolveAll = () => undefined;
    assert.equal(await reasonOf(ask(1, PRIMARY, { host: 'patroni.test', resolve, connectMs: 50 })), 'name-lookup');
  });

  it('names a failed look-up', async () => {
    const resolve: ResolveAll = (hostname, callback) => {
      callback(Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), { code: 'ENOTFOUND' }), []);
    };
    assert.equal(await reasonOf(ask(1, PRIMARY, { host: 'patroni.test', resolve })), 'name-lookup');
  });

  it('tries the next address of a name in time when the first one does not answer', async () => {
    const full = await fillAcceptQueue();
    const upstream = await start(answering(200), { host: '::1', port: full.port });
    const resolve: ResolveAll = (_hostname, callback) => {
      callback(null, [
        { address: '127.0.0.1', family: 4 },
        { address: '::1', family: 6 },
      ]);
    };
    try {
      const asking = ask(upstream.port, PRIMARY, { host: 'patroni.test', connectMs: 225, resolve });
      assert.equal((await asking).status, 200);
    } finally {
      full.close();
    }
  });

  it('bounds what a connection may bring besides the body: chunks of one byte, endless 1xx', async () => {
    const upstream = await start(flooding('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', '1\r\nx\r\n'));
    assert.equal(await reasonOf(ask(upstream.port)), 'too-large');
    upstream.behave(flooding('', 'HTTP/1.1 102 Processing\r\n\r\n'));
    assert.equal(await reasonOf(ask(upstream.port)), 'too-large');
    await upstream.idle();
  });

  it('bounds the bytes that a connection may bring, whatever they are: chunks with long extensions, few as they may be', async () => {
    const chunks = (count: number): Behaviour =>
      ending(
        `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${`1;x=${'y'.repeat(10_000)}\r\nx\r\n`.repeat(count)}0\r\n\r\n`,
      );
    const upstream = await start(chunks(100));
    assert.equal((await ask(upstream.port)).body.length, 100);
    upstream.behave(chunks(120)); // 1.2 MB for a body of 120 bytes
    assert.equal(await reasonOf(ask(upstream.port)), 'too-large');
    await upstream.idle();
  });

  it('bounds the parts in which an answer comes, however small they are', async () => {
    const chunks = (count: number): Behaviour =>
      ending(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${'1\r\nx\r\n'.repeat(count)}0\r\n\r\n`);
    const upstream = await start(chunks(MAX_PARTS));
    assert.equal((await ask(upstream.port)).body.length, MAX_PARTS);
    upstream.behave(chunks(MAX_PARTS + 1));
    assert.equal(await reasonOf(ask(upstream.port)), 'too-large');
    await upstream.idle();
  });

  it('bounds the 1xx responses before an answer', async () => {
    const informing = (count: number): Behaviour =>
      ending(`${'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(count)}HTTP/1.1 200 OK\r\n\r\n`);
    const upstream = await start(informing(MAX_INTERIM));
    assert.equal((await ask(upstream.port)).status, 200);
    upstream.behave(informing(MAX_INTERIM + 1));
    assert.equal(await reasonOf(ask(upstream.port)), 'too-large');
    await upstream.idle();
  });

  it('says only once that there were too many 1xx responses, however many more one read brought', async () => {
    const upstream = await start(flooding('', 'HTTP/1.1 102 Processing\r\n\r\n'));
    let made = 0;
    class CountedError extends Error {
      constructor(message?: string, options?: ErrorOptions) {
        super(message, options);
        if (message?.endsWith(' 1xx responses')) made += 1;
      }
    }
    const whole = globalThis.Error;
    globalThis.Error = CountedError as ErrorConstructor;
    try {
      await assert.rejects(ask(upstream.port));
      await upstream.idle();
    } finally {
      globalThis.Error = whole;
    }
    assert.equal(made, 1); // each has a stack: two thousand of them held up the event loop for 15 ms a poll
  });

  it('judges a megabyte of unfinished JSON without holding up the event loop', async () => {
    const upstream = await start(answering(200, `{"a": "${'\\"'.repeat(MAX_BODY_BYTES / 2 - 10)}`));
    assert.equal(await reasonOf(ask(upstream.port)), 'cut-off'); // the runner's time-out is the bound: it took hours
  });

  it('gives up a TCP connection that is not made in time', async () => {
    const full = await fillAcceptQueue();
    try {
      assert.equal(await reasonOf(ask(full.port, PRIMARY, { connectMs: 200 })), 'timed-out');
    } finally {
      full.close();
    }
  });
});

describe('createRequest over TLS', () => {
  const dir = mkdtempSync(join(tmpdir(), 'patroniglue-request-'));
  let files: Certificates;
  before(async () => {
    files = await createCertificates(dir);
  });
  after(() => {
    rmSync(dir, { recursive: true });
  });
  const pem = (file: string): string => readFileSync(file, 'utf8');

  function startTls(pair: CertificateFiles, more: TlsOptions = {}): Promise<Upstream> {
    return start(answering(200), { tls: { cert: pem(pair.cert), key: pem(pair.key), ...more } });
  }

  it('trusts the CA that it is told to, by address and by name', async () => {
    const upstream = await startTls(files.server);
    const trusting = { scheme: 'https', tls: { insecure: false, ca: pem(files.ca.cert) } } as const;
    assert.equal((await ask(upstream.port, PRIMARY, trusting)).status, 200);
    assert.equal((await ask(upstream.port, PRIMARY, { ...trusting, host: 'localhost' })).status, 200);
  });

  it('fails as tls on a certificate of another CA, or one that has expired', async () => {
    for (const pair of [files.serverUntrusted, files.expired]) {
      const upstream = await startTls(pair);
      const asking = ask(upstream.port, PRIMARY, { scheme: 'https', tls: { insecure: false, ca: pem(files.ca.cert) } });
      assert.equal(await reasonOf(asking), 'tls');
      await upstream.idle();
    }
  });

  it('asks whoever answers where `insecure` says so', async () => {
    const upstream = await startTls(files.serverUntrusted);
    assert.equal((await ask(upstream.port, PRIMARY, { scheme: 'https', tls: { insecure: true } })).status, 200);
  });

  it('shows its own certificate where Patroni requires one, and fails as tls without', async () => {
    const ca = pem(files.ca.cert);
    const upstream = await startTls(files.server, { ca, requestCert: true, rejectUnauthorized: true });
    const own = { insecure: false, ca, cert: pem(files.client.cert), key: pem(files.client.key) };
    assert.equal((await ask(upstream.port, PRIMARY, { scheme: 'https', tls: own })).status, 200);
    const asking = ask(upstream.port, PRIMARY, { scheme: 'https', tls: { insecure: false, ca } });
    assert.equal(await reasonOf(asking), 'tls');
  });

  it('fails as tls when the upstream speaks plain HTTP', async () => {
    const upstream = await start(silent, { onConnection: ending('HTTP/1.0 400 Bad Request\r\n\r\n') });
    assert.equal(await reasonOf(ask(upstream.port, PRIMARY, { scheme: 'https' })), 'tls');
  });

  it('destroys the socket when unsubscribed from a handshake that never ends', async () => {
    const upstream = await start(silent, { onConnection: silent });
    const tls = { insecure: true };
    const upstreamTls = { scheme: 'https', host: '127.0.0.1', port: upstream.port, connectMs: 5000, tls } as const;
    const subscription = createRequest(upstreamTls)(PRIMARY).subscribe({
      error: () => assert.fail('failed by itself'),
    });
    await eventually('the connection is there', 5000, () => upstream.connections.open === 1);
    subscription.unsubscribe();
    await upstream.idle();
  });
});
