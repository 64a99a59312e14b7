import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { promisify } from 'node:util';

import { checkCa, checkCertificate, checkKeyPair, type PemCheck } from '../../src/certificates/pem.js';
import { createCertificates, issueCertificate, withoutOpenssl, type Certificates } from '../support/certificates.js';

const nothing: PemCheck = { problems: [], warnings: [] };
const day = 86_400_000;

function loads(options: SecureContextOptions): boolean {
  try {
    createSecureContext(options);
    return true;
  } catch {
    return false;
  }
}

describe('PEM files', { skip: await withoutOpenssl() }, () => {
  const texts = {} as Record<Exclude<keyof Certificates, 'encryptedKey' | 'otherKey'>, { cert: string; key: string }>;
  let dir = '';
  let encryptedKey = '';
  let otherKey = '';
  const now = new Date().getTime() + day / 2; // in the middle of what is valid from now for two days

  const openssl = async (...args: string[]): Promise<string> =>
    (await promisify(execFile)('openssl', args, { cwd: dir })).stdout;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'patroniglue-pem-'));
    const { encryptedKey: encrypted, otherKey: other, ...pairs } = await createCertificates(dir);
    [encryptedKey, otherKey] = await Promise.all([readFile(encrypted, 'utf8'), readFile(other, 'utf8')]);
    for (const [name, { cert, key }] of Object.entries(pairs)) {
      texts[name as keyof typeof texts] = { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') };
    }
  });
  after(() => rm(dir, { recursive: true, force: true }));

  it('takes good certificates, keys and CAs', () => {
    for (const { cert, key } of [texts.server, texts.serverRsa, texts.client]) {
      assert.deepEqual(checkCertificate(cert, now), nothing);
      assert.deepEqual(checkKeyPair(cert, key), nothing);
    }
    assert.deepEqual(checkCa(texts.ca.cert, now), nothing);
    assert.deepEqual(checkCa(texts.ca.cert + texts.untrusted.cert, now), nothing);
  });

  it('takes a byte order mark, DOS line ends, text around the blocks, and key and certificate in one file', () => {
    const { cert, key } = texts.server;
    for (const dressed of [`\uFEFF${cert}`, cert.replaceAll('\n', '\r\n'), `subject=x\n${cert}\nthe end`, key + cert]) {
      assert.deepEqual(checkCertificate(dressed, now), nothing);
      assert.deepEqual(checkKeyPair(dressed, cert + key), nothing);
    }
  });

  it('takes the traditional forms of keys, with EC parameters before', async () => {
    const sec1 = await openssl('ec', '-in', 'server.key');
    const parameters = await openssl('ecparam', '-name', 'prime256v1');
    assert.match(sec1, /BEGIN EC PRIVATE KEY/);
    assert.deepEqual(checkKeyPair(texts.server.cert, parameters + sec1), nothing);
    const pkcs1 = await openssl('rsa', '-in', 'server-rsa.key', '-traditional');
    assert.match(pkcs1, /BEGIN RSA PRIVATE KEY/);
    assert.deepEqual(checkKeyPair(texts.serverRsa.cert, pkcs1), nothing);
  });

  it('takes blocks of other kinds before, between and behind, whatever their labels hold', () => {
    const { cert, key } = texts.server;
    const block = (label: string): string => `-----BEGIN ${label}-----\nAAAA\n-----END ${label}-----\n`;
    for (const label of ['X9.42 DH PARAMETERS', 'DH PARAMETERS', 'X509 CRL', 'ssl_session-2', 'Ünïcode']) {
      const other = block(label);
      for (const dressed of [other + cert, cert + other, cert + other + texts.ca.cert]) {
        assert.deepEqual(checkCertificate(dressed, now), nothing, label);
        assert.deepEqual(checkKeyPair(dressed, other + key), nothing, label);
        assert.ok(loads({ cert: dressed, key: other + key }), 'as OpenSSL does');
      }
      assert.deepEqual(checkCa(other + texts.ca.cert, now), nothing, label);
      assert.match(checkCertificate(other, now).problems.join(), /^holds ".*" where a certificate is expected$/);
      assert.match(checkCertificate(cert + other.slice(0, -12), now).problems.join(), /^is cut off/);
    }
  });

  it('takes a chain, and wants the certificate itself first', () => {
    const { cert, key } = texts.server;
    assert.deepEqual(checkCertificate(cert + texts.ca.cert, now), nothing);
    assert.deepEqual(checkKeyPair(cert + texts.ca.cert, key), nothing);

    const reversed = texts.ca.cert + cert;
    assert.deepEqual(checkCertificate(reversed, now).warnings, [
      'certificate 1 of 2 was not issued by certificate 2 of 2: clients may not accept the chain',
    ]);
    assert.deepEqual(checkKeyPair(reversed, key).problems, [
      'is the key of certificate 2 of 2 in the certificate file, but the certificate itself must come first',
    ]);
  });

  it('parses every certificate of a bundle', () => {
    const broken = texts.ca.cert.replace('MII', 'AII');
    const expected = ['certificate 2 of 3 cannot be read: wrong tag'];
    assert.deepEqual(checkCertificate(texts.server.cert + broken + texts.ca.cert, now).problems, expected);
    assert.deepEqual(checkCa(texts.ca.cert + broken + texts.ca.cert, now).problems, expected);
  });

  it('says what is there instead of a certificate', () => {
    const { cert, key } = texts.server;
    const cases: [pem: string, problem: RegExp][] = [
      ['', /^is empty$/],
      [' \n\t', /^is empty$/],
      ['0\u0082\u0001\uFFFD', /^is not PEM: /],
      [cert.slice(0, 300), /^is cut off: /],
      [cert + cert.slice(0, 300), /^is cut off: /],
      [key, /^holds a private key where a certificate is expected$/],
      [encryptedKey, /^holds a private key where a certificate is expected$/],
      [cert.replaceAll('CERTIFICATE', 'PKCS7'), /^holds "PKCS7" where a certificate is expected$/],
      [cert.replaceAll('CERTIFICATE', 'CERTIFICATE REQUEST'), /^holds "CERTIFICATE REQUEST" where a certificate is/],
      [cert.replace('MII', 'M!I'), /^the certificate cannot be read: bad base64 decode$/],
    ];
    for (const [pem, problem] of cases) {
      for (const check of [checkCertificate(pem, now), checkCa(pem, now)]) {
        assert.equal(check.problems.length, 1, pem);
        assert.match(check.problems[0] ?? '', problem);
        assert.deepEqual(check.warnings, []);
      }
    }
  });

  it('says what is there instead of the key', () => {
    const { cert, key } = texts.server;
    const publicKey = createPublicKey(key).export({ type: 'spki', format: 'pem' });
    const traditional = createPrivateKey(key)
      .export({ type: 'sec1', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })
      .toString();
    const cases: [pem: string, problem: RegExp][] = [
      ['', /^is empty$/],
      ['nothing of the kind', /^is not PEM: /],
      [key.slice(0, 100), /^is cut off: /],
      [cert, /^holds a certificate where a private key is expected$/],
      [publicKey.toString(), /^holds "PUBLIC KEY" where a private key is expected$/],
      [encryptedKey, /^is encrypted: write the name of the file with its passphrase/],
      [traditional, /^is encrypted: write the name of the file with its passphrase/],
      [key.replaceAll('PRIVATE', 'OPENSSH PRIVATE'), /^holds an OpenSSH key: /],
      [key.replace('MIG', 'AIG'), /^cannot be read as a private key: /],
      [otherKey, /^is not the key of the certificate$/],
      [texts.serverRsa.key, /^is not the key of the certificate$/],
    ];
    for (const [pem, problem] of cases) {
      const { problems } = checkKeyPair(cert, pem);
      assert.equal(problems.length, 1, problem.source);
      assert.match(problems[0] ?? '', problem);
    }
  });

  it('leaves what is wrong with the certificate to its own check', () => {
    assert.deepEqual(checkKeyPair('', texts.server.key), nothing);
  });

  it('warns of a certificate whose time is over or to come, with the date', () => {
    const { cert, key } = texts.expired;
    const over = 'expired on 2020-02-01T00:00:00Z';
    assert.deepEqual(checkCertificate(cert, now), { problems: [], warnings: [`the certificate ${over}`] });
    assert.deepEqual(checkKeyPair(cert, key), nothing);
    assert.deepEqual(checkCertificate(cert, Date.UTC(2020, 0, 15)), nothing);
    assert.deepEqual(checkCertificate(cert, Date.UTC(2020, 0, 1) - 1000).warnings, [
      'the certificate is not valid before 2020-01-01T00:00:00Z',
    ]);
    assert.deepEqual(checkCertificate(cert + texts.ca.cert, now).warnings, [`certificate 1 of 2 ${over}`]);
    assert.match(checkCa(texts.ca.cert, now + 3 * day).warnings.join(), /^the certificate expired on 20/);
  });

  it('warns of a certificate that nears its end, at 30 and at 7 days', async () => {
    const from = new Date(Date.UTC(2026, 0, 1));
    const endsAtMs = Date.UTC(2027, 0, 1);
    const special = { extensions: [], from, to: new Date(endsAtMs) };
    const cert = await readFile((await issueCertificate(dir, 'a-year', special)).cert, 'utf8');
    const told = (daysBefore: number): readonly string[] =>
      checkCertificate(cert, endsAtMs - daysBefore * day).warnings;
    assert.deepEqual(told(30), []);
    assert.deepEqual(told(29.9), ['the certificate ends on 2027-01-01T00:00:00Z, in less than 30 days']);
    assert.deepEqual(told(7), ['the certificate ends on 2027-01-01T00:00:00Z, in less than 30 days']);
    assert.deepEqual(told(6.9), ['the certificate ends on 2027-01-01T00:00:00Z, in less than 7 days']);
    assert.deepEqual(told(-0.1), ['the certificate expired on 2027-01-01T00:00:00Z']);
    assert.deepEqual(
      checkCertificate(cert + texts.ca.cert, endsAtMs + day).warnings.length,
      3,
      'each of a chain, and its order',
    );
  });

  it('warns of a certificate that lives for days when a third and a tenth of its life are left', async () => {
    const from = new Date(Date.UTC(2026, 0, 1));
    const endsAtMs = from.getTime() + 6 * day;
    const special = { extensions: [], from, to: new Date(endsAtMs) };
    const cert = await readFile((await issueCertificate(dir, 'six-days', special)).cert, 'utf8');
    const told = (daysBefore: number): readonly string[] =>
      checkCertificate(cert, endsAtMs - daysBefore * day).warnings;
    assert.deepEqual(told(2.1), []);
    assert.deepEqual(told(1.9), ['the certificate ends on 2026-01-07T00:00:00Z, in less than 2 days']);
    assert.deepEqual(told(0.5), ['the certificate ends on 2026-01-07T00:00:00Z, in less than 15 hours']);
  });

  it('holds a bundle of CAs to the one that lasts longest: nobody can mend the expired roots of a distribution', async () => {
    const issued = async (name: string, year: number): Promise<string> => {
      const [from, to] = [new Date(Date.UTC(year - 10, 0, 1)), new Date(Date.UTC(year, 0, 1))];
      const { cert } = await issueCertificate(dir, name, { extensions: ['basicConstraints=CA:TRUE'], from, to });
      return readFile(cert, 'utf8');
    };
    const bundle = [
      await issued('root-2020', 2020),
      await issued('root-2030', 2030),
      await issued('root-2021', 2021),
    ].join('');
    const told = (nowMs: number): readonly string[] => checkCa(bundle, nowMs).warnings;
    assert.deepEqual(told(Date.UTC(2026, 0, 1)), []);
    assert.deepEqual(told(Date.UTC(2029, 11, 28)), [
      'the last of its 3 certificates ends on 2030-01-01T00:00:00Z, in less than 7 days',
    ]);
    assert.deepEqual(told(Date.UTC(2031, 0, 1)), ['none of its 3 certificates is valid at present']);
    assert.deepEqual(told(0), ['none of its 3 certificates is valid at present']); // a clock that was never set
  });

  it('warns of nothing in the bundle of CAs of this machine', (t) => {
    const bundle = '/etc/ssl/certs/ca-certificates.crt';
    if (!existsSync(bundle)) {
      t.skip('the bundle is missing: apt-get install ca-certificates');
      return;
    }
    assert.deepEqual(checkCa(readFileSync(bundle, 'utf8'), now), nothing);
  });

  it('warns of a CA file without a root', () => {
    assert.deepEqual(checkCa(texts.server.cert, now).warnings, [
      'holds no self-signed certificate: OpenSSL accepts a chain only if the file holds its root',
    ]);
  });

  it('refuses what is too weak for the security level, and takes it at level 0', async () => {
    const made = ['-x509', '-nodes', '-days', '2', '-subj', '/CN=weak', '-keyout', 'weak.key'];
    const small = await openssl('req', ...made, '-newkey', 'rsa:512');
    const smallKey = await readFile(join(dir, 'weak.key'), 'utf8');
    const issued = ['-sha1', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-addext', 'basicConstraints=CA:FALSE'];
    const sha1 = await openssl('req', ...made, '-newkey', 'rsa:2048', ...issued);
    const [ordinary, old] = ['AES128-SHA:@SECLEVEL=1', 'AES128-SHA:@SECLEVEL=0'];

    const keyTooSmall = "is too weak for OpenSSL's security level: ee key too small";
    assert.deepEqual(checkCertificate(small, now).problems, [keyTooSmall]);
    assert.deepEqual(checkCertificate(small, now, ordinary).problems, [keyTooSmall]);
    assert.deepEqual(checkCertificate(small, now, old), nothing);
    assert.deepEqual(checkKeyPair(small, smallKey), nothing);

    // OpenSSL 3.0 refuses to load it; 3.5 loads it, and the clients refuse it
    assert.deepEqual(
      checkCertificate(sha1, now, ordinary).problems,
      loads({ cert: sha1, ciphers: ordinary }) ? [] : ["is too weak for OpenSSL's security level: ca md too weak"],
    );
    assert.deepEqual(checkCertificate(sha1, now, old), nothing);

    assert.deepEqual(checkCa(small, now).problems, [`the certificate ${keyTooSmall}`]);
    assert.deepEqual(checkCa(small + texts.ca.cert, now), nothing); // as an old root in a distribution's bundle
    assert.deepEqual(
      checkCa(small + small, now).problems,
      [1, 2].map((at) => `certificate ${at} of 2 ${keyTooSmall}`),
    );
  });

  it('never quotes the key', () => {
    const { cert, key } = texts.server;
    const lines = key.split('\n').filter((line) => line.length > 8 && !line.startsWith('-----'));
    const damaged = [
      key.slice(0, 100),
      key.replace('MIG', 'AIG'),
      key.replaceAll('PRIVATE KEY', 'PASSWORD'),
      `x${key}`,
    ];
    const said = [...damaged, key].flatMap((pem) => [
      checkKeyPair(cert, pem).problems,
      checkCertificate(pem, now).problems,
      checkCa(pem, now).problems,
    ]);
    for (const line of lines) assert.ok(!JSON.stringify(said).includes(line.slice(0, 8)));
  });
});
