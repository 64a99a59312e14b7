import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
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
