import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

import { loadConfig } from '../../src/config/load.js';
import { changedKeys, settingsIn } from '../../src/config/changed-keys.js';
import { type ListedKey, type Plain, allKeys, sectionNames } from '../../src/config/keys.js';
import { parseConfig } from '../../src/config/parse.js';
import type { Config } from '../../src/config/types.js';
import { ConfigError } from '../../src/errors.js';
import { prefetchedOf } from '../../src/streams/poll-settings.js';
import { knownPaths } from '../../src/patroni/routes.js';
import { type Certificates, createCertificates, withoutOpenssl } from '../support/certificates.js';

const root = fileURLToPath(new URL('../../../', import.meta.url)); // compiled, this file is in build/test/config
const testdata = join(root, 'test', 'testdata');
const example = join(root, 'config.yml.example');
const nowMs = new Date().getTime();
const paths = knownPaths.join(', ');

const noFile = (code: string): Error => Object.assign(new Error(code), { code });
const noFiles = (): never => {
  throw noFile('ENOENT');
};
const parse = (text: string, readFile: (path: string) => string = noFiles): Config =>
  parseConfig({ text, file: 'c.yml', readFile, nowMs });

/** `line:column: message` of each problem. */
function problemsOf(read: () => unknown): string[] {
  try {
    read();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ line, column, message }) => `${line}:${column}: ${message}`);
  }
  return [];
}

/** The names of a section's keys, in the order of the table. */
function namesIn(section: ListedKey['section']): readonly string[] {
  return allKeys.filter((listed) => listed.section === section).map(({ key }) => key.name);
}

/** What is wrong with each file of test/testdata that is named after a rule. */
const badFiles: Readonly<Record<string, readonly string[]>> = {
  'alias-unknown': ['2:8: no value has the anchor &fast, to which *fast refers'],
  boolean: ['2:13: backend.insecure: must be true or false, not the text "yes"'],
  'cafile-without-certificate': [
    '3:11: backend.cafile: server.key holds a private key where a certificate is expected',
  ],
  'certfile-alone': [
    '2:13: frontend.certfile: keyfile is missing: give both certfile and keyfile, or neither',
    '5:13: backend.certfile: keyfile is missing: give both certfile and keyfile, or neither',
  ],
  'certfile-not-pem': [
    '2:13: frontend.certfile: text.txt is not PEM: no line begins with -----BEGIN (a DER or PKCS#12 file must be converted)',
  ],
  'file-missing': [
    '2:13: frontend.certfile: cannot read no-such-file.pem: no such file',
    '3:12: frontend.keyfile: cannot read forbidden.key: permission denied. The service runs as a user of its own: LoadCredential= gives it a copy (docs/install.md)',
    '6:11: backend.cafile: cannot read folder: it is a directory',
  ],
  'file-wrong-type': ['1:1: the file must hold sections (frontend, backend, agent, cache, log, witness), not a list'],
  'host-address': [
    '2:9: frontend.host: "127.0.0.256" is not an IPv4 address',
    '4:9: backend.host: must be a name or an address, not 127',
  ],
  'host-brackets': ['2:9: frontend.host: must be a name or an address, not a list; write an IPv6 address without []'],
  'host-empty': [
    '2:9: frontend.host: must not be empty; write 0.0.0.0 or "::" for all addresses, or leave the key out for localhost',
  ],
  'host-malformed': [
    '2:9: frontend.host: must be a name or an address; write 0.0.0.0 or "::" for all addresses',
    '4:9: backend.host: must be a name or an address, not "local host"',
  ],
  'host-password': ['2:9: backend.host: must be only a name or an address: remove user and password'],
  'host-port': [
    '2:9: frontend.host: must be only a name or an address, not "[::1]:8009": the port has its own key',
    '4:9: backend.host: must be only a name or an address, not "localhost:8008": the port has its own key',
  ],
  'host-scheme': [
    '2:9: backend.host: must be only a name or an address, not "http://localhost:8008": remove the scheme',
  ],
  'interval-ttl': [
    '2:13: cache.interval: 4 must be less than cache.ttl (4 by default). Otherwise each answer expires before the next poll. Lower cache.interval, or raise cache.ttl',
  ],
  'key-duplicate': ['3:3: duplicate key "ttl": it is already on line 2'],
  'key-of-another-section': [
    '2:3: frontend: unknown key "intervall": did you mean cache.interval?',
    '3:3: frontend: unknown key "certfiles": did you mean "certfile"?',
    '5:3: backend: unknown key "verify_client": did you mean frontend.verify-client?',
  ],
  'key-unknown': ['3:3: cache: unknown key "intervall": did you mean "interval"?'],
  'keyfile-alone': [
    '2:12: frontend.keyfile: certfile is missing: give both certfile and keyfile, or neither',
    '5:12: backend.keyfile: certfile is missing: give both certfile and keyfile, or neither',
  ],
  'keyfile-encrypted': [
    '3:12: frontend.keyfile: encrypted.key is encrypted: write the name of the file with its passphrase in keyfile-password-file',
  ],
  'keyfile-other': ['3:12: frontend.keyfile: other.key is not the key of the certificate'],
  'keyfile-pasted-badly': [
    '4:1: not valid YAML: implicit keys need to be on a single line; is a colon missing, or the space after it?',
  ],
  'keyfile-pasted': ['3:12: frontend.keyfile: must be the path of a file, not the content of the file'],
  'learn-range': ['2:10: cache.learn: must be a whole number from 0 to 1000, not 1.5'],
  'logformat-lines': ['2:14: frontend.logformat: must be one line, without control characters'],
  logformat: [
    '2:14: frontend.logformat: unknown %h, %T: the known fields are %a client address, %m method, %U URI, %s status, %D microseconds taken and %% a percent sign',
  ],
  'port-range': [
    '2:9: frontend.port: must be a whole number from 0 to 65535, not 65536',
    '4:9: backend.port: must be a whole number from 1 to 65535, not 0',
  ],
  'port-same': ['2:9: frontend.port: localhost port 8008 is both frontend and backend: patroniglue would poll itself'],
  'port-wrong-type': [
    '2:9: frontend.port: must be a whole number from 0 to 65535, not the text "8009"; remove the quotes',
    '4:9: backend.port: must be a whole number from 1 to 65535, not 8008.5',
  ],
  'routes-empty': ['2:11: backend.routes: the list is empty: name a route, or remove the key'],
  'routes-unknown': [
    '4:7: backend.routes: unknown route "/replicas?lag=10MB": did you mean /replica?',
    `5:7: backend.routes: unknown route "//": the known routes are ${paths}`,
    `6:7: backend.routes: unknown route 5: the known routes are ${paths}`,
    `7:7: backend.routes: unknown route "/pgbouncer": the known routes are ${paths}`,
    '8:7: backend.routes: malformed route "/replica?tag_ort=Köln": the character U+00F6 must be percent-encoded',
  ],
  'routes-wrong-type': [
    '2:11: backend.routes: must be a list of routes, such as [/primary, /replica], not the text "/primary"',
  ],
  'seconds-range': [
    '2:8: cache.ttl: must be from 0.01 to 86400 seconds, not -1',
    '3:13: cache.interval: must be from 0.01 to 86400 seconds, not 0',
    '4:13: cache.slow-ttl: must be from 0.01 to 86400 seconds, not 86401',
    '5:18: cache.slow-interval: must be from 0.01 to 86400 seconds, not NaN',
    '7:12: backend.timeout: must be from 0.01 to 86400 seconds, not 0.009',
  ],
  'seconds-wrong-type': [
    '2:8: cache.ttl: must be a number of seconds, such as 4 or 0.25, not the text "4s"',
    '3:13: cache.interval: must be a number of seconds, such as 4 or 0.25, not the text "1"',
    '4:13: cache.slow-ttl: must be a number of seconds, such as 4 or 0.25, not a list',
    '5:18: cache.slow-interval: must be a number of seconds, such as 4 or 0.25, not true',
  ],
  'section-duplicate': ['5:1: duplicate key "cache": it is already on line 1'],
  'section-unknown': ['1:1: unknown key "cahce": did you mean "cache"?'],
  'section-wrong-type': [
    `1:11: frontend: must be a section of keys (${namesIn('frontend').join(', ')}), not 8009`,
    '3:3: cache: must be a section of keys (ttl, interval, slow-ttl, slow-interval, learn, lease-guard), not a list',
  ],
  'several-documents': [
    '3:1: a second document starts here: the file must have only one document; remove this line, or the other document',
  ],
  'several-problems': [
    '2:8: cache.ttl: must be a number of seconds, such as 4 or 0.25, not the text "1s"',
    '3:3: cache: unknown key "intervall": did you mean "interval"?',
    '5:9: frontend.port: must be a whole number from 0 to 65535, not the text "8009"; remove the quotes',
    '6:13: frontend.certfile: keyfile is missing: give both certfile and keyfile, or neither',
    '6:13: frontend.certfile: cannot read no-such-file.pem: no such file',
    '7:1: unknown key "backned": did you mean "backend"?',
  ],
  'slow-interval-slow-ttl': [
    '3:18: cache.slow-interval: 10.5 must be less than cache.slow-ttl (10). Otherwise each answer expires before the next poll. Lower cache.slow-interval, or raise cache.slow-ttl',
  ],
  'syntax-flow': [
    '3:1: not valid YAML: flow sequence in block collection must be sufficiently indented and end with a ]',
  ],
  'syntax-percent': [
    '2:14: not valid YAML: plain value cannot start with directive indicator character %; put the value in quotes',
  ],
  'syntax-quote': ['4:1: not valid YAML: missing closing "quote'],
  'syntax-tab': ['2:1: not valid YAML: tabs are not allowed as indentation; write spaces'],
  'tag-unknown': ['2:8: not valid YAML: unresolved tag: !seconds'],
  'timeout-slow-ttl': [
    '2:12: backend.timeout: 3 must be less than cache.slow-ttl (2). Otherwise an answer expires before patroniglue gives up a poll that hangs. Lower backend.timeout, or raise cache.slow-ttl',
  ],
  'timeout-ttl': [
    '2:12: backend.timeout: 1 must be less than cache.ttl (1). Otherwise an answer expires before patroniglue gives up a poll that hangs. Lower backend.timeout, or raise cache.ttl',
  ],
  'tls-ciphers-wrong-type': [
    '2:16: frontend.tls-ciphers: must be a list of cipher names, or a cipher string of OpenSSL, not 5',
  ],
  'tls-ciphers': [
    '5:7: frontend.tls-ciphers: TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA257 is not a cipher that can be served; did you mean TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256?',
    '6:7: frontend.tls-ciphers: must be a list of cipher names; 5 is not a cipher name',
  ],
  'tls-min-version': [
    '2:20: frontend.tls-min-version: must be one of SSLv3.0, TLSv1.0, TLSv1.1, TLSv1.2, TLSv1.3, not 1.2',
  ],
  'ttl-zero': [
    '2:8: cache.ttl: 0 is not possible: patroniglue answers only from its cache. (In the Go program, 0 meant no cache.) Write a time, such as 4',
  ],
  words: [
    '2:11: backend.scheme: must be http or https, not the text "httpss"',
    '4:11: log.format: must be text or json, not the text "JSONL"',
  ],
};

describe('configuration files with a mistake', { skip: await withoutOpenssl() }, () => {
  let dir = '';
  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'patroniglue-config-'));
    await createCertificates(dir);
  });
  after(() => {
    rmSync(dir, { recursive: true, force: true });
  });

  const readFile = (path: string): string => {
    if (path === 'text.txt') return 'just a text';
    if (path === 'folder') throw noFile('EISDIR');
    if (path === 'forbidden.key') throw noFile('EACCES');
    return readFileSync(join(dir, path), 'utf8');
  };

  for (const [name, expected] of Object.entries(badFiles)) {
    it(name, () => {
      const text = readFileSync(join(testdata, `${name}.yml`), 'utf8');
      assert.deepEqual(
        problemsOf(() => parse(text, readFile)),
        expected,
      );
    });
  }

  it('each have a test', () => {
    const files = readdirSync(testdata).filter((file) => file.endsWith('.yml') && file !== 'go-example.yml');
    assert.deepEqual(
      files.sort(),
      Object.keys(badFiles)
        .map((name) => `${name}.yml`)
        .sort(),
    );
  });

  it('never cause a message with the content of a key', () => {
    for (const name of ['keyfile-pasted', 'keyfile-pasted-badly', 'host-password']) {
      const text = readFileSync(join(testdata, `${name}.yml`), 'utf8');
      assert.doesNotMatch(problemsOf(() => parse(text, readFile)).join(), /secret|BEGIN/i, name);
    }
  });
});

describe('the configuration', () => {
  const defaults: Config = {
    frontend: {
      host: 'localhost',
      port: 80,
      logFormat: '%a - %m %U',
      status: true,
      refreshFrom: [],
      proxyProtocol: false,
    },
    backend: {
      host: 'localhost',
      port: 8008,
      scheme: 'http',
      tls: { insecure: false },
      timeoutMs: 2000,
      routes: ['/primary', '/master', '/replica', '/read-write', '/read-only'],
    },
    agent: { host: 'localhost', route: '/primary', standby: 'maint', waitMs: 500 },
    cache: { ttlMs: 4000, intervalMs: 1000, slowTtlMs: 15_000, slowIntervalMs: 5000, learn: 16, leaseGuard: true },
    log: { format: 'text' },
    warnings: [],
  };

  it('has the default of each key without a value', () => {
    const emptyValues = 'frontend: {certfile: "", keyfile: "", logformat: "", tls-ciphers: , tls-min-version: ~}';
    for (const text of ['{}', '--- {}\n', 'cache: {}', 'cache: {ttl: }', emptyValues]) {
      assert.deepEqual(parse(text), defaults, JSON.stringify(text));
    }
  });

  it('is refused without keys: an editor or a tool may still be writing the file', () => {
    const message =
      '1:1: the file has no keys (it is empty, or has only comments): is it still being written? If you want every default, write {}';
    const example40 = readFileSync(example, 'utf8').slice(0, 40);
    for (const text of ['', ' \n\n', '---\n', '---\n...\n', '# nothing\n', '\uFEFF', '~', 'null\n', example40]) {
      assert.deepEqual(
        problemsOf(() => parse(text)),
        [message],
        JSON.stringify(text),
      );
    }
  });

  it('warns if no key has a value: all keys are commented out, or the file is cut off', () => {
    const warnings = ['c.yml:1:1: no key has a value, so patroniglue uses every default. Is the file cut off?'];
    for (const text of ['cache:\nbackend: ~\n', 'frontend:', 'frontend:\n  #port: 8009\n']) {
      assert.deepEqual(parse(text), { ...defaults, warnings }, JSON.stringify(text));
    }
  });

  const times: readonly [string, Partial<Config['cache']> & { timeoutMs?: number }][] = [
    ['cache: {ttl: 1}', { ttlMs: 1000, intervalMs: 250, slowTtlMs: 15_000, slowIntervalMs: 5000, timeoutMs: 500 }],
    [
      'cache: {ttl: 20}',
      { ttlMs: 20_000, intervalMs: 1000, slowTtlMs: 20_000, slowIntervalMs: 5000, timeoutMs: 10_000 },
    ],
    ['cache: {slow-ttl: 3}', { ttlMs: 4000, slowTtlMs: 3000, slowIntervalMs: 1000, timeoutMs: 1500 }],
    ['cache: {ttl: 0.01}', { ttlMs: 10, intervalMs: 2, timeoutMs: 5 }],
    ['cache: {ttl: 1.005, interval: 0.29}', { ttlMs: 1005, intervalMs: 290 }],
    ['cache: {ttl: 86400, interval: 4}', { ttlMs: 86_400_000, slowTtlMs: 86_400_000 }],
    ['cache: {learn: 0}', { learn: 0 }],
    ['cache: {lease-guard: false}', { leaseGuard: false }],
  ];
  for (const [text, expected] of times) {
    it(`takes times from ${text}`, () => {
      const { cache, backend } = parse(text);
      assert.deepEqual(
        { ...cache, timeoutMs: backend.timeoutMs, ...expected },
        { ...cache, timeoutMs: backend.timeoutMs },
      );
    });
  }

  it('takes every spelling of YAML 1.1 for true and false', () => {
    for (const spelling of ['true', 'True', 'yes', 'Yes', 'on', 'ON', 'y']) {
      assert.equal(parse(`backend: {insecure: ${spelling}}`).backend.tls.insecure, true, spelling);
    }
    for (const spelling of ['false', 'no', 'NO', 'off', 'n']) {
      assert.equal(parse(`backend: {insecure: ${spelling}}`).backend.tls.insecure, false, spelling);
    }
  });

  it('takes names and addresses of all kinds', () => {
    const hosts = [
      '::1',
      '"[::1]"',
      'fe80::1%eth0',
      '1:2:3:4:5:6:7:8',
      '10.0.0.1',
      'pg_1.example.org',
      'bücher.example',
    ];
    for (const host of [...hosts, '0.0.0.0', '"::"']) {
      const { frontend, backend } = parse(`frontend:\n  host: ${host}\nbackend:\n  host: ${host}`);
      const expected = host.replaceAll(/["[\]]/g, '');
      assert.deepEqual([frontend.host, backend.host], [expected, expected]);
    }
  });

  it('takes port 0 (any free port) only for the front end', () => {
    assert.equal(parse('frontend: {port: 0}').frontend.port, 0);
  });

  it('resolves aliases and merge keys', () => {
    const text =
      'frontend: &here\n  host: ::1\n  port: &port 8009\nbackend:\n  <<: *here\n  port: 8010\ncache: {learn: *port}';
    assert.deepEqual(
      problemsOf(() => parse(text)),
      ['7:16: cache.learn: must be a whole number from 0 to 1000, not 8009'],
    );
    const { backend } = parse('frontend: &here {host: ::1, port: 8009}\nbackend: {<<: *here, port: 8010}');
    assert.deepEqual([backend.host, backend.port], ['::1', 8010]);
  });

  it('does not hang on aliases that contain themselves', () => {
    for (const text of [
      '&a [*a]',
      'cache: &a {<<: *a}',
      'frontend: &a {tls-ciphers: [*a]}',
      'backend: &a {routes: *a}',
    ]) {
      assert.notEqual(problemsOf(() => parse(text)).length, 0, text);
    }
  });

  it('reports at most fifty problems, and the number of the others', () => {
    const text = Array.from({ length: 60 }, (_, index) => `key${index}: 1\n`).join('');
    assert.throws(
      () => parse(text),
      ({ message, problems }: ConfigError) => {
        assert.deepEqual([message.split('\n').length, problems.length], [51, 60]);
        assert.match(message, /\nc\.yml: and 10 other problems$/);
        return true;
      },
    );
  });

  it('reads lines that end in CR LF', () => {
    assert.deepEqual(
      problemsOf(() => parse('cache:\r\n  ttl: 1\r\n  x: 2\r\n')),
      ['3:3: cache: unknown key "x": the known keys are ttl, interval, slow-ttl, slow-interval, learn, lease-guard'],
    );
  });

  it('keeps the log line of a YAML block without its line end', () => {
    assert.equal(parse('frontend:\n  logformat: |\n    100% %a %% %D\n').frontend.logFormat, '100% %a %% %D');
  });

  it('is frozen at every level', () => {
    const config = parse('backend: {routes: [/leader]}');
    assert.throws(() => (config.backend.routes as string[]).push('/primary'), TypeError);
    assert.throws(() => Object.assign(config.cache, { ttlMs: 1 }), TypeError);
  });

  const warnings: readonly [string, ...string[]][] = [
    [
      'frontend: {tls-min-version: TLSv1.1}',
      '1:29: frontend.tls-min-version: has no effect without certfile and keyfile',
    ],
    ['frontend: {tls-ciphers: [AES128-SHA]}', '1:25: frontend.tls-ciphers: has no effect without certfile and keyfile'],
    ['backend: {insecure: true}', '1:21: backend.insecure: has no effect while backend.scheme is http'],
    [
      'backend: {cafile: a, certfile: b, keyfile: c}',
      '1:19: backend.cafile: has no effect while backend.scheme is http',
      '1:32: backend.certfile: has no effect while backend.scheme is http',
      '1:44: backend.keyfile: has no effect while backend.scheme is http',
    ],
    [
      'backend: {insecure: true, scheme: HTTPS}',
      "1:21: backend.insecure: patroniglue does not check Patroni's certificate: an attacker in between can answer in Patroni's place",
    ],
    [
      'backend: {routes: ["/primary?lag=10MB", "/replica?lag=1&x=2&lag=3", "/replica?lag=10mb"]}',
      '1:20: backend.routes: patroniglue polls /primary for "/primary?lag=10MB": Patroni ignores lag=10MB',
      '1:41: backend.routes: patroniglue polls /replica?lag=1 for "/replica?lag=1&x=2&lag=3": Patroni ignores x=2, lag=3',
      '1:69: backend.routes: patroniglue polls /replica for "/replica?lag=10mb": Patroni ignores lag=10mb',
    ],
  ];
  for (const [text, ...expected] of warnings) {
    it(`warns of ${text}`, () => {
      assert.deepEqual(
        parse(text).warnings,
        expected.map((warning) => `c.yml:${warning}`),
      );
    });
  }
});

describe('configuration with certificates', { skip: await withoutOpenssl() }, () => {
  let dir = '';
  let files: Certificates;
  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'patroniglue-config-'));
    files = await createCertificates(dir);
  });
  after(() => {
    rmSync(dir, { recursive: true, force: true });
  });
  const load = async (text: string): Promise<Config> => {
    const file = join(dir, 'config.yml');
    writeFileSync(file, text);
    return (await loadConfig(file)).config;
  };
  const read = (file: string): string => readFileSync(file, 'utf8');

  it('takes the example of the Go program as it is', async () => {
    const { cert: certfile, key: keyfile } = files.server;
    const text = read(join(testdata, 'go-example.yml')).replace('server.pem', certfile).replace('server.key', keyfile);
    const { frontend, backend, cache } = await load(text);
    assert.deepEqual(frontend, {
      host: '127.0.0.1',
      port: 8443,
      tls: {
        ...{ certfile, keyfile, cert: read(certfile), key: read(keyfile), minVersion: 'TLSv1.1', verifyClient: 'none' },
        ciphers: [
          'ECDHE-ECDSA-AES256-GCM-SHA384',
          'ECDHE-RSA-AES256-GCM-SHA384',
          'ECDHE-ECDSA-AES128-GCM-SHA256',
          'ECDHE-RSA-AES128-GCM-SHA256',
          'ECDHE-ECDSA-AES128-SHA256',
          'ECDHE-RSA-AES128-SHA256',
        ],
      },
      logFormat: '%a - %m %U',
      status: true,
      refreshFrom: [],
      proxyProtocol: false,
    });
    assert.deepEqual([backend.host, backend.port, backend.scheme, backend.timeoutMs], ['127.0.0.1', 8008, 'http', 500]);
    assert.deepEqual([cache.ttlMs, cache.intervalMs], [1000, 250]);
  });

  it('serves TLSv1.2 and the ciphers of Node by default', async () => {
    const config = await load(`frontend: {certfile: ${files.server.cert}, keyfile: ${files.server.key}}`);
    const { tls } = config.frontend;
    assert.equal(tls?.minVersion, 'TLSv1.2');
    assert.equal('ciphers' in tls, false);
  });

  it('reads the CA and the client certificate for https', async () => {
    const { cert: certfile, key: keyfile } = files.client;
    const cafile = files.ca.cert;
    const { backend, warnings } = await load(
      `backend: {scheme: https, cafile: ${cafile}, certfile: ${certfile}, keyfile: ${keyfile}}`,
    );
    const texts = { ca: read(cafile), cert: read(certfile), key: read(keyfile) };
    assert.deepEqual(backend.tls, { insecure: false, cafile, certfile, keyfile, ...texts });
    assert.deepEqual(warnings, []);
  });

  it('reads the name or the address in the certificate of Patroni, for https', async () => {
    for (const servername of ['node1.example.org', '10.0.0.5', '"::1"']) {
      const { backend, warnings } = await load(`backend: {scheme: https, servername: ${servername}}`);
      assert.equal(backend.tls.servername, servername.replaceAll('"', ''));
      assert.deepEqual(warnings, []);
    }
    const { backend, warnings } = await load('backend: {servername: node1}');
    assert.equal(backend.tls.servername, undefined);
    assert.match(warnings.join(), /:1:23: backend\.servername: has no effect while backend\.scheme is http$/);
  });

  it('warns of an expired certificate', async () => {
    const { cert, key } = files.expired;
    const { warnings } = await load(`frontend: {certfile: ${cert}, keyfile: ${key}}`);
    const place = `${join(dir, 'config.yml')}:1:22: frontend.certfile: ${cert}`;
    assert.deepEqual(warnings, [`${place}: the certificate expired on 2020-02-01T00:00:00Z`]);
  });

  it('says that the file itself cannot be read', async () => {
    const advice = '(use --config FILE for another file)';
    const at = async (file: string): Promise<string[]> => {
      const [error] = await Promise.allSettled([loadConfig(file)]);
      return problemsOf(() => {
        throw (error as PromiseRejectedResult).reason;
      });
    };
    assert.deepEqual(await at(join(dir, 'x')), [`1:1: cannot read the configuration: no such file ${advice}`]);
    assert.deepEqual(await at(dir), [`1:1: cannot read the configuration: it is a directory ${advice}`]);
    const latin1 = join(dir, 'latin1.yml');
    writeFileSync(latin1, Buffer.from([0x23, 0xe9]));
    assert.deepEqual(await at(latin1), ['1:1: the file is not UTF-8 text']);
  });
});

describe('config.yml.example', () => {
  const text = readFileSync(example, 'utf8');
  const uncommented = text.replaceAll(/^( *)#(?! |$)/gm, '$1').replaceAll(/^( *)# {2}- /gm, '$1  - ');

  it('is ready to use: only the port is not the default', async () => {
    const { frontend, ...rest } = (await loadConfig(example)).config;
    const { frontend: defaultFrontend, ...defaults } = parse('{}');
    assert.deepEqual(rest, defaults);
    assert.deepEqual(frontend, { ...defaultFrontend, port: 8009 });
  });

  it('names every key once, with the default that the code has', () => {
    const expected = Object.fromEntries(allKeys.map((listed) => [listed.path, defaultOf(listed, parse('{}'))]));
    assert.deepEqual(defaultsIn(text), expected);
  });

  it('has good values in the lines that are commented out', () => {
    const config = problemsOf(() => parse(uncommented));
    const files = /^\d+:\d+: [\w.-]+: cannot read (?:\/etc\/patroniglue\/[a-z.-]+|the file): no such file$/;
    assert.deepEqual(
      config.filter((problem) => !files.test(problem)),
      [],
    );
    assert.equal(config.length, 9, config.join('\n')); // four of the front end, five of etcd; http needs none for Patroni
  });
});

/** The default of a key as the example words it. Values come from `config`, the configuration of a file without keys. */
function defaultOf({ section, field, key }: ListedKey, config: Config): string {
  if ('absent' in key) return key.absent.replaceAll('`', '');
  if ('required' in key) return 'none (required)';
  const settings = settingsIn(config, section);
  const tls: Readonly<Record<string, unknown>> = { ...(settings['tls'] as object | undefined) };
  // Without a certificate, the configuration has no TLS settings of the front end, and without its section no witness: the
  // table alone has their defaults.
  const found = (key.group === 'tls' ? tls : settings)[field] ?? ('default' in key ? key.default : undefined);
  const value = (key.kind === 'seconds' ? Number(found) / 1000 : found) as Plain;
  if ('follows' in key) return `${key.follows.replaceAll('`', '')} (${value.toString()})`;
  if (key.inWords !== undefined) return key.inWords.replaceAll('`', '');
  if (typeof value === 'object') return value.join(', ');
  return key.kind === 'log line' ? JSON.stringify(value) : String(value);
}

/** The text after the last `Default:` in the comment above each key of the example, by key. */
function defaultsIn(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  const sections: string[] = [];
  let comment = '';
  for (const line of text.split('\n')) {
    const [, prose] = /^ *# (.*)$/.exec(line) ?? [];
    const [, indent = '', name = '', value = ''] = /^( *)#?([a-z0-9-]+):(.*)$/.exec(line) ?? [];
    const depth = indent.length / 2;
    const isSection = sectionNames.some((section) => section === [...sections.slice(0, depth), name].join('.'));
    if (isSection && value === '') sections.splice(depth, Infinity, name);
    const key = name === '' || isSection ? undefined : name;
    const section = sections.slice(0, depth).join('.');
    if (prose !== undefined) comment += ` ${prose}`;
    else if (key !== undefined) {
      const name = `${section}.${key}`;
      assert.ok(!(name in found), `${name} is there twice`);
      found[name] = /.*Default: (.*)$/.exec(comment)?.[1] ?? `no default: ${comment}`;
    }
    if (line === '' || key !== undefined) comment = '';
  }
  return found;
}

describe('front end and backend on one port', () => {
  const problems = (listening: string, asked: string): string[] =>
    problemsOf(() => parse(`frontend: {host: '${listening}', port: 8009}\nbackend: {host: '${asked}', port: 8009}\n`));

  for (const [listening, asked] of [
    ['127.0.0.1', 'localhost'],
    ['localhost', '::1'],
    ['0.0.0.0', '127.0.0.1'],
    ['::', 'localhost'],
  ] as const) {
    it(`are refused if patroniglue listens on ${listening} and polls ${asked}: it would poll itself`, () => {
      assert.match(problems(listening, asked).join(), /patroniglue would poll itself/);
    });
  }

  it('are accepted if the addresses differ', () => {
    assert.deepEqual(problems('127.0.0.2', '127.0.0.1'), []);
    assert.deepEqual(problems('10.0.0.11', 'localhost'), []);
  });
});

describe('the section agent', () => {
  const agentOf = (keys: string) => parse(`frontend: {host: 10.0.0.11, port: 8009}\nagent: {${keys}}`).agent;

  it('listens nowhere without a port, and warns of the keys that then have no effect', () => {
    const text = 'agent: {host: "::1", route: /replica, standby: drain, wait: 1}';
    const { agent, backend, warnings } = parse(text);
    assert.deepEqual(agent, { host: '::1', route: '/replica', standby: 'drain', waitMs: 1000 });
    assert.deepEqual(backend.routes, parse('{}').backend.routes);
    assert.deepEqual(
      warnings,
      ['1:15: agent.host', '1:29: agent.route', '1:48: agent.standby', '1:61: agent.wait'].map(
        (key) => `c.yml:${key}: has no effect without agent.port`,
      ),
    );
  });

  it("listens on the front end's host by default", () => {
    assert.deepEqual(agentOf('port: 8010').host, '10.0.0.11');
    assert.deepEqual(agentOf('port: 8010, host: 127.0.0.1').host, '127.0.0.1');
  });

  it('has its route polled from the start', () => {
    const routesWith = (agent: string) => prefetchedOf(parse(`backend: {routes: [/replica]}\nagent: {${agent}}`));
    assert.deepEqual(routesWith('port: 8010'), ['/replica', '/primary']);
    assert.deepEqual(routesWith('port: 8010, route: /replica/'), ['/replica'], 'patroniglue already polls this route');
    assert.deepEqual(routesWith(''), ['/replica']);
  });

  it('changes with its own keys, and with frontend.host only if it has a port', () => {
    const changed = (before: string, after: string) => changedKeys(parse(before), parse(after));
    const one = 'agent: {port: 8010, host: 127.0.0.1, route: /primary, wait: 1}';
    const other = 'agent: {port: 8010, host: 127.0.0.2, route: /health, standby: down, wait: 2}';
    assert.deepEqual(changed(one, other), ['agent.host', 'agent.route', 'agent.standby', 'agent.wait']);
    assert.deepEqual(changed('agent: {route: /health}', 'agent: {port: 8010, route: /health}'), [
      'agent.host',
      'agent.port',
    ]);
    assert.deepEqual(changed('frontend: {host: "::1"}', '{}'), ['frontend.host']);
  });

  it('refuses each wrong value with its position', () => {
    assert.deepEqual(
      problemsOf(() => agentOf('port: 65536, route: /primry, standby: maintenance, wait: 6')),
      [
        '2:15: agent.port: must be a whole number from 0 to 65535, not 65536',
        '2:29: agent.route: unknown route "/primry": did you mean /primary?',
        '2:47: agent.standby: must be maint or drain or down, not the text "maintenance"',
        '2:66: agent.wait: must be from 0.01 to 5 seconds, not 6',
      ],
    );
  });

  it("refuses a port that is the front end's, or Patroni's", () => {
    for (const [keys, name] of [
      ['port: 8009', 'frontend'],
      ['host: 0.0.0.0, port: 8008', 'backend'],
      ['host: localhost, port: 8008', 'backend'],
    ] as const) {
      const port = /\d{4}/.exec(keys)?.[0] ?? '';
      const problem = `agent.port: ${port} is ${name}.port already; agent checks need their own port`;
      assert.match(problemsOf(() => agentOf(keys)).join(), new RegExp(problem));
    }
    for (const [one, other] of [
      ['0.0.0.0', '127.0.0.1'],
      ['127.0.0.1', '0.0.0.0'],
      ['localhost', '::1'],
    ] as const) {
      const text = `frontend: {host: '${one}', port: 8009}\nagent: {host: '${other}', port: 8009}`;
      assert.match(problemsOf(() => parse(text)).join(), /agent\.port: 8009 is frontend\.port already/);
    }
    assert.deepEqual(
      problemsOf(() => agentOf('host: 10.0.0.12, port: 8009')),
      [],
    );
    assert.deepEqual(
      problemsOf(() => parse('frontend: {port: 0}\nagent: {port: 0}')),
      [],
    );
  });
});

describe('frontend.refresh-from', () => {
  const parsed = (list: string) => parse(`frontend: {refresh-from: ${list}}`).frontend.refreshFrom;

  it('takes addresses and networks', () => {
    assert.deepEqual(parsed("[10.0.0.0/24, 10.0.0.9, 'fd00::/64', '::1']"), [
      { address: '10.0.0.0', prefix: 24 },
      { address: '10.0.0.9', prefix: 32 },
      { address: 'fd00::', prefix: 64 },
      { address: '::1', prefix: 128 },
    ]);
  });

  it('refuses everything else with its position', () => {
    assert.deepEqual(
      problemsOf(() => parsed('[10.0.0.0/33, localhost, 10.0.0]')),
      [
        '1:27: frontend.refresh-from: must be an address or a network, such as 10.0.0.0/24, not "10.0.0.0/33"',
        '1:40: frontend.refresh-from: must be an address or a network, such as 10.0.0.0/24, not "localhost"',
        '1:51: frontend.refresh-from: must be an address or a network, such as 10.0.0.0/24, not "10.0.0"',
      ],
    );
    assert.match(problemsOf(() => parsed('10.0.0.0/24')).join(), /must be a list of networks/);
  });
});
