import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { text } from 'node:stream/consumers';

import { tlsOptions } from '../../src/http/tls.js';
import { ianaCiphers, parseCipher } from '../../src/config/tls-names.js';
import type { TlsVersion } from '../../src/config/types.js';
import { createCertificates, withoutOpenssl } from '../support/certificates.js';

const versions: readonly TlsVersion[] = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'];
const [, , tls12, tls13] = versions;

/** The old versions are beyond OpenSSL's own default level on the client's side, too. */
const s_client: Record<TlsVersion, readonly string[]> = {
  TLSv1: ['-tls1', '-cipher', 'DEFAULT@SECLEVEL=0'],
  'TLSv1.1': ['-tls1_1', '-cipher', 'DEFAULT@SECLEVEL=0'],
  'TLSv1.2': ['-tls1_2'],
  'TLSv1.3': ['-tls1_3'],
};

/** The list of the Go program's config.yml.example. */
const goExample = [
  'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384',
  'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384',
  'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
  'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256',
  'TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256',
  'TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256',
].map(served);

function served(name: string): string {
  const parsed = parseCipher(name);
  assert.equal(parsed.kind, 'served', name);
  return parsed.openssl;
}

interface Handshake {
  readonly version: string | undefined;
  readonly cipher: string | undefined;
}

/** How often a client tries whose connection was reset before it could read why. */
const TRIES = 5;

/** What `openssl s_client` agrees on with the server, or `undefined` where the handshake fails. */
async function shakeHands(server: Server, args: readonly string[], tries = TRIES): Promise<Handshake | undefined> {
  const { port } = server.address() as AddressInfo;
  const all = ['s_client', '-brief', '-connect', `127.0.0.1:${port}`, ...args];
  const child = spawn('openssl', all, { stdio: ['ignore', 'ignore', 'pipe'], timeout: 60_000 });
  const exited = new Promise<number | null>((resolve) => child.on('close', resolve));
  const [said, code] = await Promise.all([text(child.stderr), exited]);
  if (code !== 0) {
    assert.equal(code, 1, `openssl ${all.join(' ')}: ${said}`);
    if (tries > 1 && said.includes('errno=104')) return shakeHands(server, args, tries - 1); // ECONNRESET
    assert.match(said, /alert|handshake|version|wrong/i, `openssl ${all.join(' ')}`);
    return undefined;
  }
  return {
    version: /^Protocol version: (.*)$/m.exec(said)?.[1],
    cipher: /^Ciphersuite: (.*)$/m.exec(said)?.[1],
  };
}

/** The versions that are served, found by one client for each, all at once. */
async function servedVersions(server: Server): Promise<TlsVersion[]> {
  const hands = await Promise.all(versions.map((version) => shakeHands(server, s_client[version])));
  for (const [index, hand] of hands.entries()) if (hand) assert.equal(hand.version, versions[index]);
  return versions.filter((_, index) => hands[index] !== undefined);
}

describe('TLS of the front end', { skip: await withoutOpenssl(), concurrency: 3 }, () => {
  const ecdsa = { cert: '', key: '' };
  const rsa = { cert: '', key: '' };
  const servers: Server[] = [];
  let dir = '';

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'patroniglue-tls-'));
    const { server, serverRsa } = await createCertificates(dir);
    for (const [to, from] of [
      [ecdsa, server],
      [rsa, serverRsa],
    ] as const) {
      to.cert = await readFile(from.cert, 'utf8');
      to.key = await readFile(from.key, 'utf8');
    }
  });

  after(async () => {
    for (const server of servers) {
      server.close();
      server.closeAllConnections();
    }
    await rm(dir, { recursive: true, force: true });
  });

  async function listen(tls: Parameters<typeof tlsOptions>[0]): Promise<Server> {
    const server = createServer(tlsOptions(tls), (_, response) => response.end());
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  // the longest, first: the others run beside it
  it('gives up on a client that connects and says nothing', { timeout: 30_000 }, async () => {
    const server = await listen({ ...ecdsa, minVersion: 'TLSv1.2' });
    const { port } = server.address() as AddressInfo;
    const socket = connect(port, '127.0.0.1');
    const started = performance.now();
    await new Promise((resolve) => socket.on('error', resolve).on('close', resolve).resume());
    const took = performance.now() - started;
    assert.ok(took > 4_000 && took < 15_000, `closed after ${took.toFixed()} ms`);
  });

  describe('serves the minimum version and everything above it', () => {
    const sha1 = ['ECDHE-ECDSA-AES128-SHA', 'ECDHE-RSA-AES128-SHA', 'AES128-SHA'];
    const lists: [what: string, ciphers: readonly string[] | undefined][] = [
      ["the runtime's ciphers", undefined],
      ['an empty list', []],
      ['the security level alone', ['@SECLEVEL=0']],
      ['a list that old versions can use', sha1],
      ['a list that old versions can use, with the level', [...sha1, '@SECLEVEL=0']],
      ['a list that old versions can use, with TLS 1.3', ['TLS_AES_128_GCM_SHA256', ...goExample, ...sha1]],
    ];
    for (const [index, minVersion] of versions.entries()) {
      for (const [what, ciphers] of lists) {
        it(`${minVersion}, ${what}`, async () => {
          for (const pair of ciphers ? [ecdsa] : [ecdsa, rsa]) {
            const server = await listen({ ...pair, minVersion, ...(ciphers && { ciphers }) });
            assert.deepEqual(await servedVersions(server), versions.slice(index));
          }
        });
      }
    }
  });

  it("serves TLS 1.2 and 1.3 with the Go program's example, whose ciphers TLS 1.1 is without", async () => {
    for (const pair of [ecdsa, rsa]) {
      const server = await listen({ ...pair, minVersion: 'TLSv1.1', ciphers: goExample });
      assert.deepEqual(await servedVersions(server), [tls12, tls13]);
    }
  });

  it('lowers the security level for old versions alone', () => {
    const levels = (minVersion: TlsVersion, ciphers?: string[]): string[] | null =>
      (tlsOptions({ ...ecdsa, minVersion, ...(ciphers && { ciphers }) }).ciphers ?? '').match(/@SECLEVEL=\d/g);
    assert.deepEqual(levels('TLSv1.1'), ['@SECLEVEL=0']);
    assert.deepEqual(levels('TLSv1', ['AES128-SHA']), ['@SECLEVEL=0']);
    assert.deepEqual(levels('TLSv1', ['@SECLEVEL=1', 'AES128-SHA']), ['@SECLEVEL=1']);
    assert.equal(levels('TLSv1.2'), null);
    assert.equal(levels('TLSv1.2', ['AES128-SHA']), null);
    assert.equal(levels('TLSv1.1', goExample), null);
    assert.equal(levels('TLSv1.1', ['TLS_AES_128_GCM_SHA256']), null);
  });

  it('negotiates each cipher that it takes by an IANA name, alone in the list', async () => {
    const taken = [...ianaCiphers.keys()].filter((name) => parseCipher(name).kind === 'served');
    assert.ok(taken.length >= 20);
    await Promise.all(
      taken.map(async (name) => {
        const openssl = served(name);
        const server = await listen({
          ...(openssl.includes('ECDSA') ? ecdsa : rsa),
          minVersion: 'TLSv1.2',
          ciphers: [openssl],
        });
        const [version, option] = openssl.startsWith('TLS_') ? [tls13, '-ciphersuites'] : [tls12, '-cipher'];
        const hand = await shakeHands(server, [...s_client[version ?? 'TLSv1.3'], option, openssl]);
        assert.deepEqual(hand, { version, cipher: openssl }, name);
      }),
    );
  });

  it('leaves TLS 1.3 on with a list that names none of its suites', async () => {
    const server = await listen({ ...rsa, minVersion: 'TLSv1.2', ciphers: ['ECDHE-RSA-AES128-GCM-SHA256'] });
    assert.deepEqual(await servedVersions(server), [tls12, tls13]);
    for (const suite of ['TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256', 'TLS_AES_128_GCM_SHA256']) {
      const hand = await shakeHands(server, [...s_client['TLSv1.3'], '-ciphersuites', suite]);
      assert.equal(hand?.cipher, suite);
    }
    const other = await shakeHands(server, [...s_client['TLSv1.2'], '-cipher', 'ECDHE-RSA-AES256-GCM-SHA384']);
    assert.equal(other, undefined, 'a cipher that is not in the list');
  });

  it('serves TLS 1.3 alone with a list of its suites alone, and no other suite', async () => {
    for (const level of [[], ['@SECLEVEL=0'], ['@SECLEVEL=2']]) {
      const ciphers = ['TLS_CHACHA20_POLY1305_SHA256', ...level];
      const server = await listen({ ...ecdsa, minVersion: 'TLSv1.1', ciphers });
      assert.deepEqual(await servedVersions(server), [tls13]);
      const other = await shakeHands(server, [...s_client['TLSv1.3'], '-ciphersuites', 'TLS_AES_128_GCM_SHA256']);
      assert.equal(other, undefined);
    }
  });

  it('serves DHE ciphers, which need parameters', async () => {
    const server = await listen({ ...rsa, minVersion: 'TLSv1.2', ciphers: ['DHE-RSA-AES128-GCM-SHA256'] });
    assert.equal((await shakeHands(server, s_client['TLSv1.2']))?.cipher, 'DHE-RSA-AES128-GCM-SHA256');
  });

  it('serves what a cipher string of OpenSSL chooses, and TLS 1.3 beside it', async () => {
    const server = await listen({ ...ecdsa, minVersion: 'TLSv1.2', ciphers: 'ECDHE+AES256:!AESGCM' });
    assert.deepEqual(await servedVersions(server), [tls12, tls13]);
    assert.match(
      (await shakeHands(server, s_client['TLSv1.2']))?.cipher ?? '',
      /^ECDHE-ECDSA-AES256-(?:SHA384|CCM.*)$/,
    );
    const other = ['-cipher', 'ECDHE-ECDSA-AES128-GCM-SHA256'];
    assert.equal(await shakeHands(server, [...s_client['TLSv1.2'], ...other]), undefined);
    const old = await listen({ ...ecdsa, minVersion: 'TLSv1', ciphers: 'HIGH:!aNULL' });
    assert.equal((await shakeHands(old, s_client.TLSv1))?.version, 'TLSv1');
  });

  it('prefers ciphers in the order of the list', async () => {
    const ours = ['ECDHE-RSA-AES128-SHA256', 'ECDHE-RSA-AES256-GCM-SHA384'];
    const server = await listen({ ...rsa, minVersion: 'TLSv1.2', ciphers: ours });
    const theirs = [...ours].reverse().join(':');
    assert.equal((await shakeHands(server, [...s_client['TLSv1.2'], '-cipher', theirs]))?.cipher, ours[0]);
  });
});
