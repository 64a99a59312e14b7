import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { changedKeys } from '../../src/config/changed-keys.js';
import { loadConfig, reloadFiles } from '../../src/config/load.js';
import { lossesOf } from '../../src/config/losses.js';
import { parseConfig } from '../../src/config/parse.js';
import type { Config, Endpoint, WitnessConfig } from '../../src/config/types.js';
import { ConfigError } from '../../src/errors.js';
import { type Certificates, createCertificates, withoutOpenssl } from '../support/certificates.js';

/** Files by their name. Every other file is missing. */
const FILES: Readonly<Record<string, string>> = {
  password: 'correct horse\n',
  'password-crlf': 'correct horse\r\n',
  'password-bare': 'correct horse',
  'password-spaces': '  \n',
  empty: '',
  newline: '\n',
  lines: 'correct\nhorse\n',
  'two-newlines': 'correct horse\n\n',
  large: 'x'.repeat(4097),
  longest: 'x'.repeat(4096),
};

function readFile(path: string): string {
  const text = FILES[path];
  if (text === undefined) throw Object.assign(new Error('ENOENT'), { code: 'ENOENT' });
  return text;
}

const parse = (text: string): Config => parseConfig({ text, file: 'c.yml', nowMs: 0, readFile });

function witnessOf(text: string): WitnessConfig {
  const { witness } = parse(text);
  assert.ok(witness);
  return witness;
}

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

/** A section `witness` with keys of etcd3 in its third line, and other keys in its fourth. */
const sectionWith = (etcd3: string, others = ''): string =>
  `witness:\n  key: /service/main\n  etcd3: {${etcd3}}\n  ${others}\n`;
const hostsOf = (hosts: string): readonly Endpoint[] =>
  witnessOf(sectionWith(`scheme: https, hosts: ${hosts}`)).etcd3.hosts;
const local = 'hosts: [localhost]';

describe('the section witness', () => {
  it('is not in the configuration of a file without it', () => {
    assert.equal('witness' in parse('{}'), false);
  });

  it('has defaults for all keys that it does not need', () => {
    assert.deepEqual(witnessOf(sectionWith(local)), {
      etcd3: { hosts: [{ host: 'localhost', port: 2379 }], scheme: 'http', tls: { insecure: false } },
      key: '/service/main',
      postgres: { host: 'localhost', port: 5432 },
    });
    assert.deepEqual(parse(sectionWith(local)).warnings, []);
  });

  it('takes every key', () => {
    const etcd3 = 'hosts: [10.0.0.11:2379, etcd2], scheme: HTTPS, username: patroniglue, password-file: password';
    const { warnings, witness } = parse(sectionWith(etcd3, 'name: node1\n  postgres: "[::1]:5433"'));
    assert.deepEqual(witness, {
      etcd3: {
        hosts: [
          { host: '10.0.0.11', port: 2379 },
          { host: 'etcd2', port: 2379 },
        ],
        scheme: 'https',
        tls: { insecure: false },
        username: 'patroniglue',
        password: 'correct horse',
      },
      key: '/service/main',
      name: 'node1',
      postgres: { host: '::1', port: 5433 },
    });
    assert.deepEqual(warnings, []);
  });

  it('is frozen at every level', () => {
    const { etcd3 } = witnessOf(sectionWith(local));
    assert.throws(() => Object.assign(etcd3.hosts[0] ?? {}, { port: 1 }), TypeError);
  });

  const keyMissing = 'witness.key: is missing: write namespace and scope of patroni.yml, such as /service/main';
  const hostsMissing =
    'witness.etcd3.hosts: is missing: write a list of the hosts of etcd with their client ports, such as [10.0.0.11:2379, 10.0.0.12:2379]';
  const etcd3Keys =
    'hosts, scheme, insecure, cafile, certfile, keyfile, keyfile-password-file, username, password-file';
  const badSections: readonly (readonly [text: string, ...problems: string[]])[] = [
    ['log: {}\nwitness:\n', `2:1: ${keyMissing}`, `2:1: ${hostsMissing}`],
    ['witness: {}', `1:1: ${keyMissing}`, `1:1: ${hostsMissing}`],
    ['witness: {name: node1}', `1:1: ${keyMissing}`, `1:1: ${hostsMissing}`],
    ['witness: {key: /service/main}', `1:1: ${hostsMissing}`],
    ['witness: {key: /service/main, etcd3: }', `1:31: ${hostsMissing}`],
    ['witness: {key: , etcd3: {hosts: ""}}', `1:16: ${keyMissing}`, `1:33: ${hostsMissing}`],
    ['witness: 5', '1:10: witness: must be a section of keys (key, name, postgres, etcd3), not 5'],
    [
      'witness: {key: /service/main, etcd3: []}',
      `1:38: witness.etcd3: must be a section of keys (${etcd3Keys}), not a list`,
    ],
    [
      'witness:\n  key: /service/main\n  etcd3:\n    hosts:[localhost]\n',
      `4:5: witness.etcd3: must be a section of keys (${etcd3Keys}), not the text "hosts:[localhost]"; a key ends in a colon and a space: hosts: [localhost]`,
    ],
    [
      'witness: {key: /service/main, etcd: {hosts: [localhost]}}',
      `1:1: ${hostsMissing}`,
      '1:31: witness: unknown key "etcd": did you mean "etcd3"?',
    ],
    [sectionWith(`${local}, cafle: x`), '3:31: witness.etcd3: unknown key "cafle": did you mean "cafile"?'],
    [sectionWith(`${local}, key: /x`), '3:31: witness.etcd3: unknown key "key": did you mean witness.key?'],
    [
      sectionWith(`${local}, password: horse`),
      `3:31: witness.etcd3: unknown key "password": the known keys are ${etcd3Keys}`,
    ],
    [sectionWith(local, 'hosts: [localhost]'), '4:3: witness: unknown key "hosts": did you mean witness.etcd3.hosts?'],
    ['etcd3: {hosts: [localhost]}', '1:1: unknown key "etcd3": did you mean witness.etcd3?'],
  ];
  for (const [text, ...problems] of badSections) {
    it(`is refused: ${JSON.stringify(text)}`, () => {
      assert.deepEqual(problemsOf(text), problems);
    });
  }

  it('takes aliases and merge keys', () => {
    const text = 'witness:\n  key: &key /service/main\n  name: *key\n  etcd3: &etcd {hosts: [localhost]}\n';
    assert.deepEqual(problemsOf(text), [
      '3:9: witness.name: must not have a slash: Patroni itself ignores a member with a slash in its name',
    ]);
    const merged = witnessOf(
      'witness:\n  <<: {key: /service/main}\n  etcd3: {<<: {hosts: [localhost]}, hosts: [127.0.0.1]}\n',
    );
    assert.deepEqual(merged.etcd3.hosts, [{ host: '127.0.0.1', port: 2379 }]);
  });
});

describe('witness.etcd3.hosts', () => {
  it('takes names and addresses, with the port of etcd if there is none', () => {
    assert.deepEqual(hostsOf('[10.0.0.11, etcd2:12379, "[fd00::1]", "[fe80::1%eth0]:1", bücher.example:65535]'), [
      { host: '10.0.0.11', port: 2379 },
      { host: 'etcd2', port: 12379 },
      { host: 'fd00::1', port: 2379 },
      { host: 'fe80::1%eth0', port: 1 },
      { host: 'bücher.example', port: 65535 },
    ]);
  });

  it('takes 16 hosts', () => {
    const hosts = Array.from({ length: 16 }, (_, index) => `h${index}`);
    assert.equal(hostsOf(JSON.stringify(hosts)).length, 16);
    assert.deepEqual(problemsOf(sectionWith(`scheme: https, hosts: ${JSON.stringify([...hosts, 'h16'])}`)), [
      '3:33: witness.etcd3.hosts: must have at most 16 hosts, not 17',
    ]);
  });

  it('reads back any host and port', () => {
    const host = fc.oneof(
      fc.ipV4(),
      fc.ipV6().filter((address) => !address.includes('.')),
      fc.domain(),
    );
    const endpoint = fc.record({ host, port: fc.integer({ min: 1, max: 65_535 }) });
    fc.assert(
      fc.property(endpoint, ({ host, port }) => {
        const text = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
        assert.deepEqual(hostsOf(JSON.stringify([text])), [{ host, port }]);
      }),
    );
  });

  const mustBe = 'must be a host and its port, such as 10.0.0.11:2379';
  const brackets = 'an IPv6 address needs brackets, as in "[fd00::1]:2379"';
  const badHosts: readonly (readonly [item: string, problem: string])[] = [
    ['http://etcd1:2379', `${mustBe}, not the text "http://etcd1:2379": remove the scheme`],
    ['https://root:secret@etcd1', `${mustBe}: remove user and password`],
    ['root:secret@etcd1:2379', `${mustBe}: remove user and password`],
    ['2379', `${mustBe}, not 2379`],
    ['~', `${mustBe}, not nothing`],
    ['""', `${mustBe}, not the text ""`],
    ['{host: etcd1}', `${mustBe}, not a section`],
    ['":2379"', `${mustBe}, not ":2379"`],
    ['a:b', `${mustBe}, not "a:b"`],
    ['etcd1:x:2379', `${mustBe}, not "etcd1:x:2379"`],
    ['"[etcd1]:2379"', `${mustBe}, not "[etcd1]:2379"`],
    ['"[::1]2379"', `${mustBe}, not "[::1]2379"`],
    ['"::1"', brackets],
    ['"::1:2379"', brackets],
    ['"2001:db8::1"', brackets],
    ['[::1]:2379', `${mustBe}, not a section; write the address in quotes: "[::1]:2379"`],
    ['"etcd1:"', 'the port must be from 1 to 65535, not "etcd1:"'],
    ['etcd1:0', 'the port must be from 1 to 65535, not "etcd1:0"'],
    ['etcd1:65536', 'the port must be from 1 to 65535, not "etcd1:65536"'],
    ['10.0.0.256:2379', '"10.0.0.256" is not an IPv4 address'],
    ['etcd 1:2379', 'must be a name or an address, not "etcd 1"'],
  ];
  for (const [item, problem] of badHosts) {
    it(`refuses ${item}`, () => {
      assert.deepEqual(problemsOf(sectionWith(`scheme: https, hosts: [${item}]`)), [
        `3:34: witness.etcd3.hosts: ${problem}`,
      ]);
    });
  }

  const badLists: readonly (readonly [hosts: string, ...problems: string[]])[] = [
    ['[]', '3:33: witness.etcd3.hosts: the list is empty: name a host'],
    [
      'etcd1:2379',
      '3:33: witness.etcd3.hosts: must be a list of hosts, such as [10.0.0.11:2379, 10.0.0.12:2379], not the text "etcd1:2379"',
    ],
    [
      'root:secret@etcd1',
      '3:33: witness.etcd3.hosts: must be a list of hosts, such as [10.0.0.11:2379, 10.0.0.12:2379]: remove user and password',
    ],
    ['[etcd1, ETCD1:2379]', '3:41: witness.etcd3.hosts: etcd1:2379 is in the list twice: remove one'],
    ['["[::1]:2379", "[::1]"]', '3:48: witness.etcd3.hosts: [::1]:2379 is in the list twice: remove one'],
  ];
  for (const [hosts, ...problems] of badLists) {
    it(`refuses ${hosts} in place of a list, or as one`, () => {
      assert.deepEqual(problemsOf(sectionWith(`scheme: https, hosts: ${hosts}`)), problems);
    });
  }

  it('names the quotes that a bracketed address of a block needs', () => {
    assert.deepEqual(problemsOf('witness:\n  etcd3:\n    hosts:\n      - [::1]:2379\n'), [
      '4:14: not valid YAML: unexpected scalar at node end; write the address in quotes: "[::1]:2379"',
    ]);
  });
});

describe('witness.key', () => {
  const keyOf = (key: string): string => witnessOf(`witness: {etcd3: {${local}}, key: ${key}}`).key;

  it('has one slash at its start and none at its end, as Patroni writes it', () => {
    for (const key of ['/service/main', '/service/main/', '//service//main', '"/service/main"']) {
      assert.equal(keyOf(key), '/service/main', key);
    }
    assert.equal(keyOf('/service/main/0'), '/service/main/0');
    assert.equal(keyOf('/db/prod/a b'), '/db/prod/a b');
  });

  it('warns of a namespace without a scope', () => {
    for (const key of ['/service', '/service/']) {
      assert.deepEqual(parse(`witness: {etcd3: {${local}}, key: ${key}}`).warnings, [
        'c.yml:1:45: witness.key: "/service" has only one part: is it namespace and scope of patroni.yml, such as /service/main?',
      ]);
    }
  });

  it('warns of one key of a cluster', () => {
    for (const key of ['/service/main/leader', '/service/main/members/node1', '/service/main/config/']) {
      const { warnings } = parse(`witness: {etcd3: {${local}}, key: ${key}}`);
      assert.equal(warnings.length, 1);
      assert.match(
        warnings[0] ?? '',
        /witness\.key: "\/service\/main\/.* looks like one key .*: is it "\/service\/main"\?$/,
      );
    }
    for (const key of ['/service/config', '/config/main', '/service/main/0']) {
      assert.deepEqual(parse(`witness: {etcd3: {${local}}, key: ${key}}`).warnings, []);
    }
  });

  for (const [key, problem] of [
    ['service/main/', 'must begin with a slash: write "/service/main", not "service/main/"'],
    ['/', 'must be namespace and scope of patroni.yml, such as /service/main, not "/"'],
    ['5', 'must be text, not 5; put it in quotes'],
    ['[/service/main]', 'must be text, not a list'],
    ['"/service/ma\\nin"', 'must be one line, without control characters'],
  ] as const) {
    it(`refuses ${key}`, () => {
      assert.deepEqual(problemsOf(`witness: {etcd3: {${local}}, key: ${key}}`), [`1:45: witness.key: ${problem}`]);
    });
  }
});

describe('witness.name and witness.postgres', () => {
  it('take a name, and no PostgreSQL', () => {
    const { name, ...rest } = witnessOf(sectionWith(local, 'name: node 1\n  postgres: None'));
    assert.equal(name, 'node 1');
    assert.equal('postgres' in rest, false);
  });

  it('take a PostgreSQL with its default port', () => {
    const { postgres } = witnessOf(sectionWith(local, 'postgres: 10.0.0.5'));
    assert.deepEqual(postgres, { host: '10.0.0.5', port: 5432 });
  });

  const mustBe = 'must be a host and its port, such as localhost:5432, or none';
  for (const [others, problem] of [
    ['name: 5', '4:9: witness.name: must be text, not 5; put it in quotes'],
    ['name: a/b', '4:9: witness.name: must not have a slash: Patroni itself ignores a member with a slash in its name'],
    ['postgres: 5432', `4:13: witness.postgres: ${mustBe}, not 5432`],
    ['postgres: false', `4:13: witness.postgres: ${mustBe}, not false`],
    ['postgres: postgres://u:p@localhost', `4:13: witness.postgres: ${mustBe}: remove user and password`],
    ['postgres: /run/postgresql', '4:13: witness.postgres: must be a name or an address, not "/run/postgresql"'],
    ['postgres: localhost:0', '4:13: witness.postgres: the port must be from 1 to 65535, not "localhost:0"'],
  ] as const) {
    it(`refuse ${others}`, () => {
      assert.deepEqual(problemsOf(sectionWith(local, others)), [problem]);
    });
  }
});

describe('plain HTTP to etcd', () => {
  const far = "witness.etcd3.scheme: with http to 10.0.0.11, anybody in between can answer in etcd's place";

  it('is a warning if a host is not this machine, also by default', () => {
    assert.deepEqual(parse(sectionWith('scheme: http, hosts: [localhost, 10.0.0.11]')).warnings, [
      `c.yml:3:19: ${far}: use https`,
    ]);
    assert.deepEqual(parse(sectionWith('hosts: [10.0.0.11, 10.0.0.12]')).warnings, [`c.yml:3:18: ${far}: use https`]);
    assert.deepEqual(parse(sectionWith('hosts: [127.0.0.2, "[::1]", LOCALHOST]')).warnings, []);
  });

  it('shows the password, too', () => {
    assert.deepEqual(parse(sectionWith('hosts: [10.0.0.11], username: u, password-file: password')).warnings, [
      `c.yml:3:18: ${far}, and can read the password: use https`,
    ]);
  });

  it('needs no certificates', () => {
    const tls = 'insecure: true, cafile: a, certfile: b, keyfile: c';
    const { witness, warnings } = parse(sectionWith(`${local}, ${tls}`));
    assert.deepEqual(witness?.etcd3.tls, { insecure: true });
    assert.deepEqual(
      warnings,
      [
        '3:41: witness.etcd3.insecure',
        '3:55: witness.etcd3.cafile',
        '3:68: witness.etcd3.certfile',
        '3:80: witness.etcd3.keyfile',
      ].map((key) => `c.yml:${key}: has no effect while witness.etcd3.scheme is http`),
    );
  });
});

describe('the password for etcd', () => {
  const withPassword = (file: string): string => sectionWith(`${local}, username: u, password-file: ${file}`);

  for (const [file, password] of [
    ['password', 'correct horse'],
    ['password-crlf', 'correct horse'],
    ['password-bare', 'correct horse'],
    ['password-spaces', '  '],
    ['longest', 'x'.repeat(4096)],
  ] as const) {
    it(`is the line in the file ${file}, without its line end`, () => {
      assert.equal(witnessOf(withPassword(file)).etcd3.password, password);
    });
  }

  for (const [file, problem] of [
    ['empty', 'the file is empty: write the password into it'],
    ['newline', 'the file is empty: write the password into it'],
    ['lines', 'the file has more than one line: the password must be its only line'],
    ['two-newlines', 'the file has more than one line: the password must be its only line'],
    ['large', 'the file is larger than 4 KiB: is it the password?'],
    ['hunter2', 'cannot read the file: no such file'],
    ['"hunter2\\nhorse"', 'must be the path of a file, not the content of the file'],
  ] as const) {
    it(`is refused, and neither it nor what stands in its place is shown: ${file}`, () => {
      const problems = problemsOf(withPassword(file));
      assert.deepEqual(problems, [`3:59: witness.etcd3.password-file: ${problem}`]);
    });
  }

  it('needs a user, and a user needs a password', () => {
    assert.deepEqual(problemsOf(sectionWith(`${local}, username: u`)), [
      '3:41: witness.etcd3.username: password-file is missing: give both username and password-file, or neither',
    ]);
    assert.deepEqual(problemsOf(sectionWith(`${local}, password-file: password`)), [
      '3:46: witness.etcd3.password-file: username is missing: give both username and password-file, or neither',
    ]);
  });
});

describe('TLS to etcd', { skip: await withoutOpenssl() }, () => {
  let dir = '';
  let files: Certificates;
  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'patroniglue-witness-'));
    files = await createCertificates(dir);
  });
  after(() => {
    rmSync(dir, { recursive: true, force: true });
  });
  const read = (text: string): Config =>
    parseConfig({ text, file: 'c.yml', nowMs: new Date().getTime(), readFile: (file) => readFileSync(file, 'utf8') });
  const https = (keys: string): string => sectionWith(`hosts: [10.0.0.11], scheme: https, ${keys}`);

  it('has a CA and a client certificate', () => {
    const { cert: certfile, key: keyfile } = files.client;
    const cafile = files.ca.cert;
    const { witness, warnings } = read(https(`cafile: ${cafile}, certfile: ${certfile}, keyfile: ${keyfile}`));
    const text = (file: string): string => readFileSync(file, 'utf8');
    assert.deepEqual(witness?.etcd3.tls, {
      ...{ insecure: false, cafile, certfile, keyfile },
      ...{ ca: text(cafile), cert: text(certfile), key: text(keyfile) },
    });
    assert.deepEqual(warnings, []);
  });

  it('warns of what is insecure, and of a certificate that has expired', () => {
    const { cert, key } = files.expired;
    const { warnings } = read(https(`insecure: true, cafile: ${files.ca.cert}, certfile: ${cert}, keyfile: ${key}`));
    assert.equal(
      warnings[0],
      "c.yml:3:56: witness.etcd3.insecure: patroniglue does not check etcd's certificate: an attacker in between can answer in etcd's place; cafile has no effect",
    );
    assert.match(warnings[1] ?? '', /: witness\.etcd3\.certfile: .*: the certificate expired on 2020-02-01T00:00:00Z$/);
  });

  it('refuses a certificate without its key, and a key of another certificate', () => {
    const problems = (keys: string): string => {
      try {
        read(https(keys));
      } catch (error) {
        return String(error);
      }
      return '';
    };
    assert.match(
      problems(`certfile: ${files.client.cert}`),
      /witness\.etcd3\.certfile: keyfile is missing: give both certfile and keyfile, or neither/,
    );
    assert.match(
      problems(`certfile: ${files.client.cert}, keyfile: ${files.server.key}`),
      /witness\.etcd3\.keyfile: .* is not the key of the certificate/,
    );
  });
});

describe('a changed section witness', () => {
  const changed = (one: string, other: string): readonly string[] => changedKeys(parse(one), parse(other));
  const login = (file: string): string => sectionWith(`${local}, username: u, password-file: ${file}`);

  it('is told by its keys', () => {
    assert.deepEqual(changed('{}', '{}'), []);
    assert.deepEqual(changed(sectionWith(local), sectionWith('hosts: [localhost:2379]')), []);
    assert.deepEqual(changed('{}', sectionWith(local, 'postgres: none')), [
      'witness.key',
      'witness.etcd3.hosts',
      'witness.etcd3.scheme',
      'witness.etcd3.insecure',
    ]);
    assert.deepEqual(changed(sectionWith(local), sectionWith('hosts: [127.0.0.1], scheme: https', 'name: a')), [
      'witness.name',
      'witness.etcd3.hosts',
      'witness.etcd3.scheme',
    ]);
    assert.deepEqual(changed(login('password'), login('password-spaces')), ['witness.etcd3.password-file']);
  });

  it('is a warning if it has lost all keys, or keys at the end of a file that is cut off', () => {
    const before =
      'witness:\n  key: /service/main\n  etcd3:\n    hosts: [localhost]\n    scheme: http\nlog: {format: json}\n';
    assert.deepEqual(lossesOf('c.yml', before, 'log: {format: json}\n').warnings, [
      'c.yml: the file no longer has any key of the section witness (before: key, etcd3.hosts, etcd3.scheme); patroniglue uses the defaults',
    ]);
    assert.deepEqual(lossesOf('c.yml', before, before.slice(0, before.indexOf('\n    scheme'))).warnings, [
      'c.yml:4:23: the last line does not end with a line feed: is the file cut off here?; no longer in the file: witness.etcd3.scheme',
      'c.yml: the file no longer has any key of the section log (before: format); patroniglue uses the defaults',
    ]);
  });

  it('has the new password of a file that has changed, without a signal', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'patroniglue-password-'));
    try {
      const [file, password] = [join(dir, 'config.yml'), join(dir, 'password')];
      await writeFile(password, 'one\n');
      await writeFile(file, sectionWith(`${local}, username: u, password-file: ${password}`));
      const first = await loadConfig(file);
      assert.equal(first.config.witness?.etcd3.password, 'one');
      assert.equal(await reloadFiles(first), undefined);

      await writeFile(password, 'two\n');
      const second = await reloadFiles(first);
      assert.ok(second);
      assert.equal(second.config.witness?.etcd3.password, 'two');
      assert.deepEqual(changedKeys(first.config, second.config), ['witness.etcd3.password-file']);

      await writeFile(password, '');
      await assert.rejects(reloadFiles(second), /password-file: the file is empty/);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
});
