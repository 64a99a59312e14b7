import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Ajv } from 'ajv';
import { parse as parseYaml } from 'yaml';
import { allKeys } from '../../src/config/keys.js';
import { parseConfig } from '../../src/config/parse.js';
import { ConfigError } from '../../src/errors.js';

const root = new URL('../../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const schema = JSON.parse(read('config.schema.json')) as object;
const fits = new Ajv({ allowUnionTypes: true }).compile(schema);

/** The parser's problems. Every PEM file is empty: the schema does not check files. */
function problemsOf(text: string): string[] {
  try {
    parseConfig({ text, file: 'c.yml', nowMs: 0, readFile: () => '' });
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ message }) => message);
  }
}

/** Values of every kind, good for some key and bad for others. */
const VALUES: readonly unknown[] = [
  ...[null, '', 'no such thing', '0', true, false, [], {}, ['x'], [7], [null], { a: 1 }],
  ...[-1, 0, 0.001, 0.25, 1, 3, 4, 1000, 1001, 8008, 65_535, 65_536, 86_400, 86_401, 1e300],
  ...['localhost', '0.0.0.0', '::1', 'a:b', 'text', 'JSON', 'http', 'HTTPS', 'ftp', 'TLSv1.2', 'tlsv1.3', 'TLSv9'],
  ...[
    '%a %U',
    '%q',
    '/primary',
    ['/primary', '/replica?lag=10MB'],
    ['primary'],
    ['/nowhere'],
    ['TLS_AES_128_GCM_SHA256'],
  ],
];

/** Keys whose values a schema cannot check completely, and what it cannot check. */
const BEYOND_A_SCHEMA: Readonly<Record<string, string>> = {
  'frontend.port': 'that it is not that of the backend, on the same host',
  'frontend.host': 'the syntax of names and addresses',
  'backend.host': 'the same',
  'backend.servername': 'the same',
  'frontend.certfile': 'one of the pair alone; what is in the file',
  'frontend.keyfile': 'the same',
  'frontend.cafile': 'the same',
  'frontend.keyfile-password-file': 'the same',
  'backend.keyfile-password-file': 'the same',
  'witness.etcd3.keyfile-password-file': 'the same',
  'frontend.allow': 'the syntax of addresses',
  'frontend.allow-pages': 'the same',
  'frontend.verify-client': 'that it needs certfile and cafile',
  'backend.certfile': 'the same',
  'backend.keyfile': 'the same',
  'frontend.tls-min-version': 'spellings of versions',
  'frontend.tls-ciphers': 'which ciphers there are',
  'frontend.logformat': 'which fields there are',
  'backend.routes': 'which routes there are',
  'backend.timeout': 'that it is less than cache.ttl',
  'agent.host': 'the same',
  'agent.port': "that it is not the front end's or Patroni's",
  'agent.route': 'which routes there are',
  'witness.name': 'that it has no slash',
  'witness.postgres': 'the syntax of names and addresses, and of ports',
  'witness.etcd3.hosts': 'the same',
  'witness.etcd3.certfile': 'one of the pair alone; what is in the file',
  'witness.etcd3.keyfile': 'the same',
  'witness.etcd3.username': 'one of the pair alone',
  'witness.etcd3.password-file': 'the same',
  'cache.interval': 'that it is less than cache.ttl',
  'cache.slow-ttl': 'that it is more than the slow interval and the timeout',
  'cache.slow-interval': 'that it is less than cache.slow-ttl',
};

/** A configuration with a key, and with what its section needs. */
function configWith(path: string, value: unknown): object {
  const [section = '', ...names] = path.split('.');
  const [name = '', subsection] = names.reverse();
  if (section !== 'witness') return { [section]: { [name]: value } };
  const etcd3 = { hosts: ['10.0.0.11:2379'] };
  if (subsection !== undefined) return { witness: { key: '/service/main', etcd3: { ...etcd3, [name]: value } } };
  return { witness: { key: '/service/main', etcd3, [name]: value } };
}

describe('config.schema.json', () => {
  it('accepts the example, as it is and with every key in use', () => {
    const example = read('config.yml.example');
    assert.match(example, /^# yaml-language-server: \$schema=\.\/config\.schema\.json\n/);
    const uncommented = example.replaceAll(/^( *)#(?! |$)/gm, '$1').replaceAll(/^( *)# {2}- /gm, '$1  - ');
    for (const text of [example, uncommented]) {
      assert.ok(fits(parseYaml(text)), JSON.stringify(fits.errors));
    }
  });

  for (const { path } of allKeys) {
    it(`agrees with the parser on ${path}`, () => {
      for (const value of VALUES) {
        const config = configWith(path, value);
        const text = JSON.stringify(config);
        const problems = problemsOf(text);
        const ok = fits(config);
        if (problems.length === 0) assert.ok(ok, `${text} is taken by the parser`);
        else if (!(path in BEYOND_A_SCHEMA)) assert.ok(!ok, `${text}: ${problems.join()}`);
      }
    });
  }

  it('refuses unknown keys and sections, and wrong types, as the parser does', () => {
    for (const config of [
      { a: 1 },
      { cache: { tttl: 1 } },
      { cache: 4 },
      { cache: [] },
      { frontend: { port: '80' } },
      { witness: null },
      { witness: {} },
      { witness: { key: '/service/main' } },
      { witness: { key: '/service/main', etcd3: null } },
      { witness: { etcd3: { hosts: ['10.0.0.11'] } } },
      { witness: { key: '/service/main', etcd3: { hosts: ['10.0.0.11'], host: '10.0.0.11' } } },
      7,
      [],
      null,
    ]) {
      assert.notDeepEqual(problemsOf(JSON.stringify(config)), [], JSON.stringify(config));
      assert.ok(!fits(config), JSON.stringify(config));
    }
    for (const config of [{}, { cache: null }]) assert.ok(fits(config), JSON.stringify(config));
  });

  it('accepts every file of test/testdata that the parser accepts', () => {
    const dir = fileURLToPath(new URL('test/testdata/', root));
    for (const file of readdirSync(dir).filter((name) => name.endsWith('.yml'))) {
      const text = read(`test/testdata/${file}`);
      if (problemsOf(text).length === 0) assert.ok(fits(parseYaml(text, { merge: true })), file);
    }
  });
});
