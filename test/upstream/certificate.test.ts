import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it, mock } from 'node:test';
import tls, { TLSSocket, type TlsOptions } from 'node:tls';
import { firstValueFrom } from 'rxjs';
import { classifyFailure } from '../../src/upstream/failure.js';
import { createRequest } from '../../src/upstream/request.js';
import type { UpstreamTls } from '../../src/upstream/connection.js';
import {
  type CertificateFiles,
  type Certificates,
  createCertificates,
  issueCertificate,
  withoutOpenssl,
} from '../support/certificates.js';
import { type Upstream, answering, startUpstream } from '../support/upstreams/upstream.js';
import type { PollFailure, CanonicalRoute } from '../../src/patroni/types.js';

const PRIMARY = '/primary' as CanonicalRoute;
const DAY_MS = 86_400_000;

describe("Patroni's certificate", { skip: await withoutOpenssl() }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'patroniglue-upstream-'));
  const upstreams: Upstream[] = [];
  let files: Certificates;
  before(async () => {
    files = await createCertificates(dir);
  });
  afterEach(() => Promise.all(upstreams.splice(0).map((upstream) => upstream.close())));
  after(() => {
    rmSync(dir, { recursive: true });
  });

  const pem = (...names: string[]): string => names.map((name) => readFileSync(name, 'utf8')).join('');

  /** Patroni with a certificate, followed by the other certificates of its chain. */
  async function start(pair: CertificateFiles, chain: readonly CertificateFiles[] = [], more: TlsOptions = {}) {
    const cert = pem(pair.cert, ...chain.map(({ cert: next }) => next));
    const upstream = await startUpstream({ tls: { cert, key: pem(pair.key), ...more } });
    upstreams.push(upstream);
    return upstream;
  }

  /** The upstream: its address, and how its certificate is checked. */
  type Options = Partial<UpstreamTls> & { readonly host?: string };

  function requestTo({ port }: Upstream, { host = '127.0.0.1', ...more }: Options = {}) {
    const trusting = { insecure: false, ca: pem(files.ca.cert), ...more };
    return createRequest({ scheme: 'https', host, port, connectMs: 5000, tls: trusting });
  }

  async function failureOf(upstream: Upstream, options?: Options): Promise<PollFailure> {
    return firstValueFrom(requestTo(upstream, options)(PRIMARY)).then(
      ({ status }) => assert.fail(`answered ${status}`),
      classifyFailure,
    );
  }

  describe('that OpenSSL refuses is a failure of TLS', () => {
    const leaf = ['basicConstraints=critical,CA:FALSE', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
    const authority = [
      'basicConstraints=critical,CA:TRUE',
      'keyUsage=critical,keyCertSign',
      'subjectKeyIdentifier=hash',
    ];
    const soon = new Date(new Date().getTime() + DAY_MS);
    const special = (name: string, ...more: string[]) =>
      issueCertificate(dir, name, { extensions: [...leaf, ...more], by: files.ca });
    /** The certificates that Patroni shows, and those to trust besides `files.ca`. */
    type Shown = readonly [pair: CertificateFiles, chain?: readonly CertificateFiles[], trusted?: CertificateFiles];
    const cases: readonly [codes: string, show: () => Promise<Shown> | Shown][] = [
      ['CERT_HAS_EXPIRED', () => [files.expired]],
      [
        'CERT_NOT_YET_VALID',
        async () => [await issueCertificate(dir, 'early', { extensions: leaf, by: files.ca, from: soon })],
      ],
      ['DEPTH_ZERO_SELF_SIGNED_CERT', async () => [await issueCertificate(dir, 'alone', { extensions: leaf })]],
      ['SELF_SIGNED_CERT_IN_CHAIN', () => [files.serverUntrusted, [files.untrusted]]],
      ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', () => [files.serverUntrusted]],
      ['INVALID_PURPOSE', async () => [await special('client-only', 'extendedKeyUsage=clientAuth')]],
      ['UNSPECIFIED', async () => [await special('not-understood', '1.2.3.4.5=critical,DER:0500')]],
      [
        'INVALID_CA or UNSPECIFIED', // the first has another number since OpenSSL 3
        async () => [await issueCertificate(dir, 'by-no-ca', { extensions: leaf, by: files.server }), [files.server]],
      ],
      [
        'PATH_LENGTH_EXCEEDED',
        async () => {
          const [, ...rest] = authority;
          const extensions = ['basicConstraints=critical,CA:TRUE,pathlen:0', ...rest];
          const root = await issueCertificate(dir, 'short-root', { extensions });
          const middle = await issueCertificate(dir, 'middle', { extensions: authority, by: root });
          return [await issueCertificate(dir, 'too-far', { extensions: leaf, by: middle }), [middle], root];
        },
      ],
      [
        'CERT_SIGNATURE_FAILURE',
        async () => {
          const damaged = await special('damaged');
          const bytes = Buffer.from(pem(damaged.cert).replace(/-----.*-----/g, ''), 'base64');
          const last = bytes.length - 1; // of the signature
          bytes.writeUInt8(bytes.readUInt8(last) ^ 1, last);
          const text = `-----BEGIN CERTIFICATE-----\n${bytes.toString('base64')}\n-----END CERTIFICATE-----\n`;
          writeFileSync(damaged.cert, text);
          return [damaged];
        },
      ],
    ];
    for (const [codes, show] of cases) {
      it(codes, async () => {
        const [pair, chain, trusted] = await show();
        const upstream = await start(pair, chain);
        const ca = pem(files.ca.cert, ...(trusted ? [trusted.cert] : []));
        const asking = firstValueFrom(requestTo(upstream, { ca })(PRIMARY));
        const cause: unknown = await asking.then(
          ({ status }) => assert.fail(`answered ${status}`),
          (error: unknown) => error,
        );
        assert.ok(codes.split(' or ').includes(String((cause as { code?: unknown }).code)), String(cause));
        assert.equal(classifyFailure(cause).reason, 'tls');
      });
    }
  });

  describe('has names', () => {
    const named = (name: string, names: string): Promise<CertificateFiles> =>
      issueCertificate(dir, name, { extensions: names === '' ? [] : [`subjectAltName=${names}`], by: files.ca });

    it('which are listed where the one that is asked is not among them, also when that is an address', async () => {
      const upstream = await start(await named('node1', 'DNS:node1.example.org,DNS:*.db.example.org,IP:10.0.0.5'));
      const has = 'DNS:node1.example.org, DNS:*.db.example.org, IP:10.0.0.5';
      assert.deepEqual(await failureOf(upstream), {
        reason: 'tls',
        message: `the certificate is not for 127.0.0.1, but for ${has}`,
        tls: 'wrong-name',
      });
      const { message } = await failureOf(upstream, { host: 'localhost' });
      assert.equal(message, `the certificate is not for localhost, but for ${has}`);
    });

    it('of which an address is none that the certificate has as a DNS name', async () => {
      const { reason, message } = await failureOf(await start(await named('address', 'DNS:node1,DNS:127.0.0.1')));
      assert.equal(reason, 'tls');
      assert.equal(
        message,
        'the certificate is not for 127.0.0.1, but for DNS:node1, DNS:127.0.0.1; it has 127.0.0.1 as a DNS name, ' +
          'but an address must be an IP entry',
      );
    });

    it('or has none, but a common name, which counts for names alone', async () => {
      const pair = await issueCertificate(dir, 'common', { extensions: [], by: files.ca, commonName: '127.0.0.1' });
      const { message } = await failureOf(await start(pair));
      assert.match(message, /no name at all: it has no subjectAltName \(its common name is 127\.0\.0\.1\)$/);
    });

    it('of which the first ten are listed, each as a whole', async () => {
      const names = Array.from({ length: 30 }, (_, index) => `DNS:n${index}`).join(',');
      const { message } = await failureOf(await start(await named('many', names)));
      assert.match(message, /but for DNS:n0, DNS:n1, .*, DNS:n9 and 20 more$/);
      const extensions = ['subjectAltName=@names', '[names]', 'URI.1=spiffe://a/b', 'DNS.1=a, DNS:127.0.0.1'];
      const odd = await issueCertificate(dir, 'odd', { extensions, by: files.ca });
      assert.match(
        (await failureOf(await start(odd))).message,
        /but for URI:spiffe:\/\/a\/b, DNS:"a\\u002c DNS:127\.0\.0\.1"$/,
      );
    });

    it('of which `servername` is the one that must be there, and is sent as SNI', async () => {
      const shown: (string | false | null)[] = [];
      const pair = await named('by-name', 'DNS:node1.example.org,IP:10.0.0.5');
      const upstream = await start(pair, [], {
        SNICallback(name, done) {
          shown.push(name);
          done(null);
        },
      });
      const asking = (servername: string) => firstValueFrom(requestTo(upstream, { servername })(PRIMARY));
      assert.equal((await asking('node1.example.org')).status, 200);
      assert.equal((await asking('10.0.0.5')).status, 200);
      assert.deepEqual(shown, ['node1.example.org'], 'an address is no server name');
      const { message } = await failureOf(upstream, { servername: 'node2.example.org' });
      assert.match(message, /^the certificate is not for node2\.example\.org, but for DNS:node1/);
    });
  });

  it('is checked in each handshake: no session is resumed', async () => {
    for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
      const resumed: boolean[] = [];
      const upstream = await start(files.server, [], { maxVersion });
      upstream.behave((socket, head) => {
        resumed.push(socket instanceof TLSSocket && socket.isSessionReused());
        answering(200)(socket, head);
      });
      const request = requestTo(upstream);
      for (let poll = 0; poll < 3; poll += 1) await firstValueFrom(request(PRIMARY));
      assert.deepEqual(resumed, [false, false, false], maxVersion);
    }
  });

  it('is held against CAs, and ours shown with a key, that are parsed once an upstream', async () => {
    const { cert, key } = files.client;
    const upstream = await start(files.server, [], { ca: pem(files.ca.cert), requestCert: true });
    const parsing = mock.method(tls, 'createSecureContext');
    syncBuiltinESMExports();
    try {
      const request = requestTo(upstream, { cert: pem(cert), key: pem(key) });
      for (let poll = 0; poll < 5; poll += 1) assert.equal((await firstValueFrom(request(PRIMARY))).status, 200);
      assert.equal(parsing.mock.callCount(), 1);
    } finally {
      parsing.mock.restore();
      syncBuiltinESMExports();
    }
  });
});

it('every code that Node documents for certificates, and what it names otherwise, is a failure of TLS', () => {
  // https://nodejs.org/docs/latest-v20.x/api/tls.html#x509-certificate-error-codes
  const documented = `UNABLE_TO_GET_ISSUER_CERT UNABLE_TO_GET_CRL UNABLE_TO_DECRYPT_CERT_SIGNATURE
    UNABLE_TO_DECRYPT_CRL_SIGNATURE UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY CERT_SIGNATURE_FAILURE CRL_SIGNATURE_FAILURE
    CERT_NOT_YET_VALID CERT_HAS_EXPIRED CRL_NOT_YET_VALID CRL_HAS_EXPIRED ERROR_IN_CERT_NOT_BEFORE_FIELD
    ERROR_IN_CERT_NOT_AFTER_FIELD ERROR_IN_CRL_LAST_UPDATE_FIELD ERROR_IN_CRL_NEXT_UPDATE_FIELD OUT_OF_MEM
    DEPTH_ZERO_SELF_SIGNED_CERT SELF_SIGNED_CERT_IN_CHAIN UNABLE_TO_GET_ISSUER_CERT UNABLE_TO_GET_ISSUER_CERT_LOCALLY
    UNABLE_TO_VERIFY_LEAF_SIGNATURE CERT_CHAIN_TOO_LONG CERT_REVOKED INVALID_CA PATH_LENGTH_EXCEEDED INVALID_PURPOSE
    CERT_UNTRUSTED CERT_REJECTED HOSTNAME_MISMATCH`.split(/\s+/);
  const others = [
    'UNSPECIFIED',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'ERR_SSL_WRONG_VERSION_NUMBER',
    'ERR_OSSL_X509_X',
    'EPROTO',
  ];
  for (const code of [...documented, ...others]) {
    assert.equal(classifyFailure(Object.assign(new Error('x'), { code })).reason, 'tls', code);
  }
});
