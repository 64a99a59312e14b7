import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createSecureContext, getCiphers } from 'node:tls';

import {
  cipherWarnings,
  ianaCiphers,
  keyTypeWarning,
  minVersions,
  parseCipher,
  parseMinVersion,
} from '../../src/config/tls-names.js';
import { type Certificates, createCertificates, withoutOpenssl } from '../support/certificates.js';

function refusalOf(name: string): string {
  const parsed = parseCipher(name);
  assert.equal(parsed.kind, 'refused', name);
  return parsed.problem;
}

describe('minimum versions', () => {
  it('reads each name of the Go program', () => {
    assert.deepEqual(
      minVersions.map((name) => parseMinVersion(name)?.minVersion),
      ['TLSv1', 'TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'],
    );
  });

  it('warns that SSLv3.0 is not available, and of no other version', () => {
    assert.equal(parseMinVersion('SSLv3.0')?.warning, 'OpenSSL 3 has no SSLv3: patroniglue serves TLSv1.0 and later');
    assert.deepEqual(
      minVersions.slice(1).filter((name) => parseMinVersion(name)?.warning !== undefined),
      [],
    );
  });

  for (const name of ['', 'TLSv1', 'tlsv1.2', 'TLS1.2', 'TLSv1.4', ' TLSv1.2', 'constructor']) {
    it(`knows no ${JSON.stringify(name)}`, () => {
      assert.equal(parseMinVersion(name), undefined);
    });
  }
});

describe('cipher names', () => {
  it('has the 26 names of the Go program and the two that Go 1.14 added', () => {
    assert.equal(ianaCiphers.size + 1, 28); // TLS_FALLBACK_SCSV is the one that is no cipher
  });

  for (const [iana, openssl] of ianaCiphers) {
    if (/RC4|3DES/.test(iana)) continue;
    it(`serves ${iana} as ${openssl}, and that by its own name`, () => {
      assert.deepEqual(parseCipher(iana), { kind: 'served', openssl });
      assert.deepEqual(parseCipher(openssl), { kind: 'served', openssl });
    });
  }

  for (const [iana, openssl] of ianaCiphers) {
    if (!/RC4|3DES/.test(iana) || getCiphers().includes(openssl.toLowerCase())) continue;
    for (const name of [iana, openssl]) {
      it(`refuses ${name}, which this OpenSSL does not have`, () => {
        assert.equal(refusalOf(name), `OpenSSL ${process.versions.openssl} has no cipher ${name}: remove it`);
      });
    }
  }

  it('serves every cipher that needs only a certificate, and none that createSecureContext refuses', () => {
    const served = getCiphers().filter((cipher) => parseCipher(cipher.toUpperCase()).kind === 'served');
    assert.deepEqual(
      getCiphers().filter((cipher) => !served.includes(cipher) && !/psk|srp/.test(cipher)),
      [],
    );
    for (const cipher of served) createSecureContext({ ciphers: cipher.toUpperCase() });
  });

  it('ignores TLS_FALLBACK_SCSV and says why', () => {
    const parsed = parseCipher('TLS_FALLBACK_SCSV');
    assert.equal(parsed.kind, 'ignored');
    assert.match(parsed.warning, /^TLS_FALLBACK_SCSV is a signal .* not a cipher/);
  });

  it('takes @SECLEVEL=0 to 5', () => {
    for (const level of [0, 1, 2, 3, 4, 5]) {
      const name = `@SECLEVEL=${level}`;
      assert.deepEqual(parseCipher(name), { kind: 'served', openssl: name });
      createSecureContext({ ciphers: `AES128-SHA:${name}` });
    }
    for (const name of ['@SECLEVEL=6', '@SECLEVEL=', '@SECLEVEL=-1', '@SECLEVEL=10', '@SECLEVEL=0:AES128-SHA']) {
      assert.match(refusalOf(name), /must be @SECLEVEL=0 to @SECLEVEL=5$/);
    }
  });

  const misspelt: [written: string, meant: string][] = [
    ['TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA385', 'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384'],
    ['ECDHE_RSA_WITH_AES_256_GCM_SHA384', 'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384'],
    ['tls_aes_128_gcm_sha256', 'TLS_AES_128_GCM_SHA256'],
    ['ecdhe-rsa-aes128-sha256', 'ECDHE-RSA-AES128-SHA256'],
    ['ECDHE-RSA-AES128-GCM-SHA25', 'ECDHE-RSA-AES128-GCM-SHA256'],
    ['ECDHE_RSA_AES128_GCM_SHA256', 'ECDHE-RSA-AES128-GCM-SHA256'],
  ];
  for (const [written, meant] of misspelt) {
    it(`suggests ${meant} for ${written}`, () => {
      assert.equal(refusalOf(written), `${written} is not a cipher that can be served; did you mean ${meant}?`);
    });
  }

  for (const name of [
    '',
    'HIGH',
    'DEFAULT',
    'HIGH:!aNULL',
    '!RC4',
    'AES128-SHA:AES256-SHA',
    'x'.repeat(5000),
    'a\nb',
  ]) {
    it(`suggests nothing for ${JSON.stringify(name.slice(0, 30))}`, () => {
      const problem = refusalOf(name);
      assert.match(
        problem,
        /is not a cipher that can be served; use the names of IANA or OpenSSL, one name per entry$/,
      );
      assert.doesNotMatch(problem, /\n/);
    });
  }

  it('never suggests a name that it refuses', () => {
    for (const name of ['TLS_RSA_WITH_RC4_128_SHA1', 'DES-CBC3-SHA1', 'PSK_AES128_CBC_SHA']) {
      const guess = /did you mean (.*)\?/.exec(refusalOf(name))?.[1];
      if (guess !== undefined) assert.equal(parseCipher(guess).kind, 'served', `${name}: ${guess}`);
    }
  });

  it('refuses suites that need a secret or a password', () => {
    for (const name of ['PSK-AES128-CBC-SHA', 'RSA-PSK-AES128-CBC-SHA', 'SRP-RSA-AES-128-CBC-SHA']) {
      assert.equal(refusalOf(name), `${name} needs a shared secret or password; patroniglue has only a certificate`);
    }
  });
});

describe('minimum version and ciphers together', () => {
  const modern = ['ECDHE-RSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-SHA256'];

  it('causes no warning if they fit', () => {
    assert.deepEqual(cipherWarnings('TLSv1.2', modern), []);
    assert.deepEqual(cipherWarnings('TLSv1.1', []), []);
    assert.deepEqual(cipherWarnings('TLSv1', [...modern, 'AES128-SHA', '@SECLEVEL=0']), []);
    assert.deepEqual(cipherWarnings('TLSv1.3', ['TLS_AES_128_GCM_SHA256']), []);
    assert.deepEqual(cipherWarnings('TLSv1.3', []), []);
  });

  const contradictions: [Parameters<typeof cipherWarnings>[0], string[], RegExp][] = [
    ['TLSv1.1', modern, /^the list has no cipher for TLSv1\.0 or TLSv1\.1/],
    ['TLSv1.2', ['TLS_AES_128_GCM_SHA256'], /patroniglue serves only TLSv1\.3$/],
    ['TLSv1.3', modern, /the list has no effect$/],
    ['TLSv1', ['AES128-SHA', '@SECLEVEL=1'], /with @SECLEVEL=1, patroniglue serves only TLSv1\.2 and later$/],
  ];
  for (const [minVersion, ciphers, expected] of contradictions) {
    it(`warns of ${minVersion} with ${ciphers.join(':')}`, () => {
      const warnings = cipherWarnings(minVersion, ciphers);
      assert.equal(warnings.length, 1);
      assert.match(warnings[0] ?? '', expected);
    });
  }
});

describe('ciphers and the key of the certificate', { skip: await withoutOpenssl() }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'patroniglue-names-'));
  let files: Certificates;
  before(async () => {
    files = await createCertificates(dir);
  });
  after(() => {
    rmSync(dir, { recursive: true });
  });
  const warning = (ciphers: readonly string[], file: string): string | undefined =>
    keyTypeWarning(ciphers, readFileSync(file, 'utf8'));

  it('causes a warning if no cipher works with the key', () => {
    assert.match(
      warning(['ECDHE-ECDSA-AES128-GCM-SHA256'], files.serverRsa.cert) ?? '',
      /RSA key: patroniglue can serve only TLSv1\.3/,
    );
    assert.match(
      warning(['ECDHE-RSA-AES128-GCM-SHA256'], files.server.cert) ?? '',
      /EC key: patroniglue can serve only TLSv1\.3/,
    );
  });

  it('causes no warning if one cipher works, with only TLS 1.3 ciphers, and without a list', () => {
    const both = ['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-GCM-SHA256'];
    for (const ciphers of [both, ['TLS_AES_128_GCM_SHA256'], []]) {
      assert.equal(warning(ciphers, files.serverRsa.cert), undefined);
      assert.equal(warning(ciphers, files.server.cert), undefined);
    }
  });
});
