import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parseConfig } from '../../src/config/parse.js';
import type { Config } from '../../src/config/types.js';
import { ConfigError } from '../../src/errors.js';
import { type Certificates, createCertificates, withoutOpenssl } from '../support/certificates.js';

const parse = (text: string): Config =>
  parseConfig({ text, file: 'c.yml', nowMs: new Date().getTime(), readFile: (file) => readFileSync(file, 'utf8') });

/** `line:column: message` of each problem. */
function problemsOf(text: string): readonly string[] {
  try {
    parse(text);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ line, column, message }) => `${line}:${column}: ${message}`);
  }
  return [];
}

describe('frontend.verify-client', { skip: await withoutOpenssl() }, () => {
  let dir: string;
  let files: Certificates;
  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'patroniglue-access-'));
    files = await createCertificates(dir);
  });
  after(() => {
    rmSync(dir, { recursive: true, force: true });
  });
  const https = (more: string): string =>
    `frontend: {certfile: ${files.server.cert}, keyfile: ${files.server.key},\n  ${more}}`;

  it('takes the words of Patroni, and the CA of the clients', () => {
    const { tls } = parse(https(`cafile: ${files.ca.cert}, verify-client: REQUIRED`)).frontend;
    assert.deepEqual([tls?.verifyClient, tls?.ca], ['required', readFileSync(files.ca.cert, 'utf8')]);
    assert.deepEqual(parse(https('')).frontend.tls?.verifyClient, 'none');
    assert.deepEqual(problemsOf(https('verify-client: yes')), [
      '2:18: frontend.verify-client: must be none or optional or required, not the text "yes"',
    ]);
  });

  it('needs cafile', () => {
    const fix = 'give cafile, the file of the CA that signs the certificates of clients, or write none';
    for (const word of ['optional', 'required']) {
      const problem = `2:18: frontend.verify-client: ${word} needs frontend.cafile: ${fix}`;
      assert.deepEqual(problemsOf(https(`verify-client: ${word}`)), [problem]);
    }
  });

  it('needs HTTPS: a warning would leave the port open', () => {
    const why = 'the front end has no HTTPS, so clients show no certificate: give certfile and keyfile as well';
    assert.deepEqual(problemsOf(`frontend: {cafile: ${files.ca.cert},\n  verify-client: optional}`), [
      `1:20: frontend.cafile: ${why}, or remove this key`,
      `2:18: frontend.verify-client: ${why}, or remove this key`,
    ]);
    assert.deepEqual(problemsOf('frontend: {verify-client: none}'), []);
  });

  it('warns of a CA that nobody needs, and refuses one that cannot be read or is none', () => {
    assert.match(
      parse(https(`cafile: ${files.ca.cert}`)).warnings.join(),
      /has no effect while frontend\.verify-client is none/,
    );
    const withCa = (file: string): string => problemsOf(https(`cafile: ${file}, verify-client: required`)).join();
    assert.match(withCa('/nowhere.pem'), /^2:11: frontend\.cafile: cannot read \/nowhere\.pem: no such file$/);
    assert.match(
      withCa(files.server.key),
      /^2:11: frontend\.cafile: .*holds a private key where a certificate is expected$/,
    );
  });
});

describe('a key with a passphrase', { skip: await withoutOpenssl() }, () => {
  let dir: string;
  let files: Certificates;
  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'patroniglue-passphrase-'));
    files = await createCertificates(dir);
    for (const [name, text] of Object.entries({
      right: 'secret\n',
      wrong: 'geheim',
      empty: '',
      'in lines': 'a\nb\n',
    })) {
      writeFileSync(join(dir, name), text);
    }
  });
  after(() => {
    rmSync(dir, { recursive: true, force: true });
  });
  const withPassword = (name: string, section = 'frontend: {', keyfile = files.encryptedKey): string =>
    `${section}certfile: ${files.server.cert}, keyfile: ${keyfile},\n  keyfile-password-file: "${join(dir, name)}"}`;
  const isDecrypted = (key: string | undefined): boolean => key?.includes('BEGIN PRIVATE KEY') === true;

  it('is read for the front end, for Patroni and for etcd', () => {
    assert.ok(isDecrypted(parse(withPassword('right')).frontend.tls?.key));
    const https = (section: string): Config =>
      parse(withPassword('right', section).replace(/$/, section.includes('etcd3') ? '}' : ''));
    assert.ok(isDecrypted(https('backend: {scheme: https, ').backend.tls.key));
    const etcd3 = https('witness: {key: /service/main, etcd3: {hosts: [10.0.0.1], scheme: https, ').witness?.etcd3;
    assert.ok(isDecrypted(etcd3?.tls.key));
  });

  it('needs its passphrase, and no message shows one', () => {
    assert.match(
      problemsOf(withPassword('wrong')).join(),
      /^1:\d+: frontend\.keyfile: .*encrypted\.key cannot be decrypted: is its passphrase in keyfile-password-file\? \([\w :]+\)$/,
    );
    for (const [name, why] of [
      ['empty', 'the file is empty: write the password into it'],
      ['in lines', 'the file has more than one line: the password must be its only line'],
      ['nowhere', 'cannot read the file: no such file'],
    ] as const) {
      assert.deepEqual(problemsOf(withPassword(name)), [`2:26: frontend.keyfile-password-file: ${why}`]);
    }
    assert.doesNotMatch(problemsOf(withPassword('wrong')).join(), /geheim/);
  });

  it('is expected if a passphrase is given', () => {
    assert.match(
      parse(withPassword('right', 'frontend: {', files.server.key)).warnings.join(),
      /frontend\.keyfile-password-file: has no effect: the key has no passphrase$/,
    );
    assert.match(
      problemsOf(`backend: {scheme: https, keyfile-password-file: ${join(dir, 'right')}}`).join(),
      /backend\.keyfile-password-file: keyfile is missing: give certfile and keyfile as well, or remove this key$/,
    );
  });
});

describe('frontend.tls-ciphers as one cipher string of OpenSSL', { skip: await withoutOpenssl() }, () => {
  let dir: string;
  let files: Certificates;
  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'patroniglue-ciphers-'));
    files = await createCertificates(dir);
  });
  after(() => {
    rmSync(dir, { recursive: true, force: true });
  });
  const https = (ciphers: string): string =>
    `frontend: {certfile: ${files.server.cert}, keyfile: ${files.server.key},\n  tls-ciphers: "${ciphers}"}`;

  it("is taken as Patroni's restapi.ciphers takes it", () => {
    for (const [written, read] of [
      ['ECDHE+AESGCM:!aNULL', 'ECDHE+AESGCM:!aNULL'],
      ['HIGH, !MD5 !RC4:@SECLEVEL=1', 'HIGH:!MD5:!RC4:@SECLEVEL=1'],
      ['DEFAULT@SECLEVEL=1', 'DEFAULT:@SECLEVEL=1'],
      ['HIGH;!RC4', 'HIGH:!RC4'],
      ['ALL:!EXPORT:@STRENGTH', 'ALL:!EXPORT:@STRENGTH'],
      ['TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256:HIGH', 'ECDHE-ECDSA-AES128-GCM-SHA256:HIGH'],
    ] as const) {
      const { frontend, warnings } = parse(https(written));
      assert.deepEqual([frontend.tls?.ciphers, warnings], [read, []], written);
    }
  });

  it('decides by its security level which certificates are too weak', () => {
    assert.match(problemsOf(https('DEFAULT@SECLEVEL=5')).join(), /is too weak for OpenSSL's security level/);
  });

  it('is the same as a list if it has only names', () => {
    const names = 'ECDHE-ECDSA-AES128-GCM-SHA256:TLS_AES_128_GCM_SHA256';
    assert.deepEqual(parse(https(names)).frontend.tls?.ciphers, names.split(':'));
    assert.match(parse(https('ECDHE-RSA-AES128-GCM-SHA256')).warnings.join(), /none of these ciphers works with/);
  });

  it('is refused if no handshake could succeed with it', () => {
    for (const text of ['FOO', 'PSK', 'aNULL', '!aNULL', 'HIGH:!HIGH', 'HIGH:@STRONG', '\\u001b[1m']) {
      assert.match(
        problemsOf(https(text)).join(),
        /^2:16: frontend\.tls-ciphers: \S+ chooses no cipher that OpenSSL [\w.+]+ can serve with a certificate$/,
      );
    }
    assert.match(
      problemsOf(https('HIGH:TLS_RSA_WITH_AES_128_CBC_SHA257')).join(),
      /TLS_RSA_WITH_AES_128_CBC_SHA257 is not a cipher/,
    );
    assert.match(
      problemsOf(https('HIGH:@SECLEVEL=9')).join(),
      /the security level must be @SECLEVEL=0 to @SECLEVEL=5$/,
    );
  });

  it('warns of a word that chooses nothing', () => {
    assert.match(
      parse(https('ECDHE+AESGCM:ECDHE+AESGMC')).warnings.join(),
      /ECDHE\+AESGMC chooses no cipher of OpenSSL: is it misspelt\?$/,
    );
  });
});

describe('frontend.allow and frontend.allow-pages', () => {
  it('are everybody without the key, and this host alone with an empty list', () => {
    const { allow, allowPages } = parse('{}').frontend;
    assert.deepEqual([allow, allowPages], [undefined, undefined]);
    assert.deepEqual(parse('frontend: {allow: [], allow-pages: []}').frontend.allow, []);
    assert.deepEqual(parse('frontend: {allow: [10.0.0.0/8]}').frontend.allow, [{ address: '10.0.0.0', prefix: 8 }]);
  });

  it('must have a value: a list whose last line was commented out would let everybody in', () => {
    const why = 'has no value: name who may ask, write [] for this host alone, or remove the key for everybody';
    const text = 'frontend:\n  allow:\n#  - 10.0.0.0/8\n  allow-pages: ""\n  refresh-from:\n';
    assert.deepEqual(
      problemsOf(text).map((problem) => problem.replace(/^[\d:]+ /, '')),
      [`frontend.allow: ${why}`, `frontend.allow-pages: ${why}`],
    );
  });

  it('have no zones: the zone of a client is not looked at', () => {
    for (const network of ['fe80::1%eth0', 'fe80::%eth0/64']) {
      assert.match(problemsOf(`frontend: {allow: ["${network}"]}`).join(), /must be an address or a network/, network);
    }
  });
});
