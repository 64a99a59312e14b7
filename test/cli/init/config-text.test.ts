import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { ConfigError } from '../../../src/errors.js';
import { commentsOf, linesOf, parsedConfig, printed } from './printed.js';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const HEAD = 'scope: main\nname: node1\n';
const API = `${HEAD}restapi:\n  listen: 0.0.0.0:8008\n  connect_address: 10.0.0.11:8008\n`;
const ETCD3 = 'etcd3:\n  host: 10.0.0.21:2379\n';

describe('the printed configuration', () => {
  it('has the address that HAProxy checks', () => {
    const frontend = (restapi: string): unknown => {
      const { host, port } = parsedConfig(printed(`${HEAD}restapi: ${restapi}`)).frontend;
      return [host, port];
    };
    assert.deepEqual(frontend('{listen: "0.0.0.0:8008", connect_address: "10.0.0.11:8008"}'), ['10.0.0.11', 8009]);
    assert.deepEqual(frontend('{listen: "*:8008", connect_address: "[fd00::1]:8008"}'), ['fd00::1', 8009]);
    assert.deepEqual(frontend('{listen: "10.0.0.12:8008"}'), ['10.0.0.12', 8009]);
    assert.deepEqual(frontend('{listen: "0.0.0.0:8008"}'), ['localhost', 8009]);
    assert.deepEqual(frontend('{listen: "127.0.0.1:8008", connect_address: "127.0.0.1:8008"}'), ['localhost', 8009]);
    assert.deepEqual(frontend('{listen: "10.0.0.12:8009"}'), ['10.0.0.12', 8010]); // Debian's second cluster
    assert.match(commentsOf(printed(`${HEAD}restapi: {listen: "*:8008"}`)), /patroni\.yml has no address/);
  });

  it('asks Patroni on loopback, or else where it listens', () => {
    const backend = (listen: string): unknown => {
      const { host, port, scheme } = parsedConfig(printed(`${HEAD}restapi: {listen: "${listen}"}`)).backend;
      return [host, port, scheme];
    };
    for (const [listen, host] of [
      ['0.0.0.0:8008', '127.0.0.1'],
      ['*:8008', 'localhost'],
      [':::8008', 'localhost'],
      ['[::]:8008', 'localhost'],
      ['localhost:8008', 'localhost'],
      ['127.0.0.1:8008', '127.0.0.1'],
      ['10.0.0.11:8008', '10.0.0.11'],
      ['[fd00::1]:8008', 'fd00::1'],
    ] as const) {
      assert.deepEqual(backend(listen), [host, 8008, 'http'], listen);
    }
  });

  it('has what https towards Patroni needs', () => {
    const https = (restapi: string, ctl = '{}'): readonly string[] => {
      const text = printed(`${HEAD}restapi: {listen: "0.0.0.0:8008", certfile: s.pem, ${restapi}}\nctl: ${ctl}`);
      parsedConfig(text);
      const lines = linesOf(text);
      return lines.slice(lines.indexOf('scheme: https') + 1, lines.indexOf('cache:'));
    };
    assert.deepEqual(https('connect_address: "node1:8008", cafile: ca.pem'), ['servername: node1', 'cafile: ca.pem']);
    assert.deepEqual(https('connect_address: "10.0.0.11:8008"'), ['servername: 10.0.0.11']);
    assert.deepEqual(https('connect_address: "127.0.0.1:8008"'), []);
    assert.deepEqual(https('cafile: a.pem', '{cacert: b.pem}'), ['cafile: b.pem']);
    assert.deepEqual(https('cafile: a.pem', '{insecure: on}'), ['insecure: true']);
    const required = 'cafile: a.pem, verify_client: required';
    assert.deepEqual(https(required), ['cafile: a.pem']);
    assert.deepEqual(https(required, '{certfile: c, keyfile: k, keyfile_password: p}'), ['cafile: a.pem']);
    assert.deepEqual(https(required, '{certfile: c, keyfile: k}'), ['cafile: a.pem', 'certfile: c', 'keyfile: k']);
    assert.deepEqual(https(required, '{certfile: c}'), ['cafile: a.pem', 'certfile: c', 'keyfile: c']);
    assert.deepEqual(https('verify_client: optional', '{certfile: c, keyfile: k}'), []);
  });

  it('says what to make where Patroni wants a client certificate that patroni.yml does not have', () => {
    const restapi = 'restapi: {listen: "0.0.0.0:8008", certfile: s.pem, cafile: a.pem, verify_client: required}';
    const comments = (ctl: string): string => commentsOf(printed(`${HEAD}${restapi}\nctl: ${ctl}`));
    assert.match(comments('{}'), /Make a key and a certificate that the CA of restapi\.cafile signs/);
    assert.match(
      comments('{certfile: c, keyfile_password: p}'),
      /has a passphrase\. .* keyfile: c keyfile-password-file: /,
    );
  });

  it('says how patroniglue asks its clients for a certificate, if Patroni does', () => {
    const comments = (restapi: string): string =>
      commentsOf(printed(`${HEAD}restapi: {listen: "0.0.0.0:8008", certfile: s.pem, ${restapi}}`));
    assert.match(
      comments('keyfile: s.key, cafile: a.pem, verify_client: Required, ciphers: "ECDHE+AESGCM:!aNULL"'),
      /\(restapi\.verify_client: required\).*certfile: s\.pem keyfile: s\.key cafile: a\.pem verify-client: required tls-ciphers: "ECDHE\+AESGCM:!aNULL"/,
    );
    assert.match(
      comments('cafile: a.pem, verify_client: optional'),
      /keyfile: s\.pem cafile: a\.pem verify-client: optional/,
    );
    for (const without of ['cafile: a.pem', 'verify_client: required', 'cafile: a.pem, verify_client: none']) {
      assert.doesNotMatch(comments(without), /verify-client/, without);
    }
    assert.match(comments('allowlist: [10.0.0.0/8]'), /restapi\.allowlist limits only who may change the cluster/);
  });

  it('has a safe cache.ttl, and the sum', () => {
    const cache = (dcs: string): unknown => {
      const text = printed(`${API}bootstrap: {dcs: ${dcs}}`);
      const { ttlMs, intervalMs } = parsedConfig(text).cache;
      return [ttlMs, intervalMs, /retry_timeout = (.*? s) \(/.exec(commentsOf(text))?.[1]];
    };
    assert.deepEqual(cache('{}'), [4000, 1000, '30 - 10 - 10 = 10 s']);
    assert.deepEqual(cache('{ttl: 20, loop_wait: 10, retry_timeout: 5}'), [4000, 1000, '20 - 10 - 5 = 5 s']);
    assert.deepEqual(cache('{ttl: 20, loop_wait: 14, retry_timeout: 3}'), [3000, 750, '20 - 14 - 3 = 3 s']);
    assert.deepEqual(cache('{ttl: 30, loop_wait: 10, retry_timeout: 20}'), [4000, 1000, '30 - 1 - 14 = 15 s']);
    assert.deepEqual(cache('{ttl: long}'), [4000, 1000, '30 - 10 - 10 = 10 s']);
    assert.match(
      commentsOf(printed(`${API}bootstrap: {dcs: {retry_timeout: 20}}`)),
      /says 30, 10 and 20\. Patroni 3\.2/,
    );
  });

  it('has a witness for etcd3', () => {
    const config = parsedConfig(
      printed(`${API}namespace: /db/
citus: {group: 1, database: db}
etcd3:
  hosts: [10.0.0.21, "https://[fd00::1]:2380"]
  protocol: https
  cacert: ca.pem
  cert: c.pem
  key: k.pem
  username: patroni
  password: secret
postgresql: {listen: "10.0.0.11:5433"}
`),
    );
    assert.deepEqual(config.witness, {
      key: '/db/main/1',
      name: 'node1',
      postgres: { host: '10.0.0.11', port: 5433 },
      etcd3: {
        hosts: [
          { host: '10.0.0.21', port: 2379 },
          { host: 'fd00::1', port: 2380 },
        ],
        scheme: 'https',
        tls: { insecure: false },
      },
    });
  });

  it('names the file for the password of etcd, and the files for its certificates', () => {
    const section = 'protocol: https\n  cacert: ca.pem\n  cert: c.pem\n  key: k.pem\n  username: u\n  password: p\n';
    const lines = linesOf(printed(`${API}${ETCD3}  ${section}`));
    const from = lines.indexOf('scheme: https');
    assert.deepEqual(lines.slice(from, from + 6), [
      'scheme: https',
      'cafile: ca.pem',
      'certfile: c.pem',
      'keyfile: k.pem',
      'username: u',
      'password-file: /etc/patroniglue/etcd-password',
    ]);
  });

  it('has no witness for any other DCS, and says why', () => {
    const table: readonly (readonly [section: string, why: RegExp])[] = [
      ['', /patroni\.yml names no DCS/],
      ['etcd: {host: a}', /v2 API of etcd.*With the section etcd3/],
      ['consul: {host: a}', /Consul tells nobody/],
      ['zookeeper: {hosts: "a:2181"}', /ZooKeeper tells nobody/],
      ['exhibitor: {hosts: [a]}', /ZooKeeper tells nobody/],
      ['kubernetes: {labels: {a: b}}', /does not read the API of Kubernetes/],
      ['raft: {self_addr: "a:1"}', /Raft inside Patroni/],
    ];
    for (const [section, why] of table) {
      const text = printed(`${API}${section}`);
      assert.equal(parsedConfig(text).witness, undefined, section);
      assert.match(commentsOf(text), why);
      assert.match(commentsOf(text), /Everything else works without it/);
    }
  });

  it('has the witness as a comment where the hosts of etcd are not written', () => {
    for (const section of ['{srv: example.org}', '{}', '{host: "{{ ip }}"}']) {
      const text = printed(`${API}etcd3: ${section}`);
      assert.equal(parsedConfig(text).witness, undefined);
      const [from = ''] = /^# witness:\n(?:# .*\n)+/m.exec(text) ?? [];
      const filled = parsedConfig(`${text}\n${from.replace(/^# /gm, '')}\n`);
      assert.equal(filled.witness?.key, '/service/main');
    }
  });

  it('writes names that YAML would read as something else in quotes', () => {
    for (const name of [
      '1',
      'true',
      '0x10',
      'a: b',
      '# x',
      'a\nb',
      "it's",
      'ä',
      '\u0085',
      '- x',
      'a:',
      'null',
      '*x',
      '"',
    ]) {
      const config = parsedConfig(
        printed(`${API.replace('name: node1', `name: ${JSON.stringify(name)}`)}${ETCD3}`).replace(
          /^ {2}name: "(a\\nb|\\u0085)"$/m,
          '  name: x',
        ),
      );
      assert.ok(config.witness?.name === name || config.witness?.name === 'x', name);
    }
  });

  it('ends in the lines for HAProxy', () => {
    const text = printed(`${API}postgresql: {connect_address: "10.0.0.11:5433"}`);
    assert.match(text, /^# {5}server node1 10\.0\.0\.11:5433 check port 8009$/m);
    assert.match(commentsOf(text), /3 \+ 2 \* 1 = 5 s\. cache\.ttl 4 \+ 5 = 9 s: within the bound of 10 s\.\s*$/);
    const other = printed(`${API}postgresql: {connect_address: "10.0.1.11:5432"}`);
    assert.match(other, /server node1 10\.0\.1\.11:5432 check addr 10\.0\.0\.11 port 8009$/m);
  });
});

describe('the printed configuration with a haproxy.cfg', () => {
  const proxy = (name: string, lines: string, server = 'check port 8008'): string =>
    `listen ${name}\n  ${lines}\n  server node1 10.0.0.11:5432 ${server}\n`;
  const routes = (haproxy: string): readonly string[] => parsedConfig(printed(API, haproxy)).backend.routes;

  it('polls each route that a check asks for, once', () => {
    const haproxy =
      proxy('a', 'option httpchk GET /primary') +
      proxy('b', 'option httpchk HEAD /replica?lag=10MB') +
      proxy('c', 'option httpchk GET /primary', 'check port 8009') +
      proxy('d', 'option httpchk GET /sync', 'check port 443');
    assert.deepEqual(routes(haproxy), ['/primary', '/replica?lag=10MB']);
    const comments = commentsOf(printed(API, haproxy));
    assert.match(
      comments,
      /listen d \(line 10\) asks port 443 for \/sync: this is no route of Patroni, or not at the port/,
    );
    assert.match(comments, /Write `check port 8009` in each server line: the checks ask port 8008 now\./);
  });

  it('polls the default routes if no check asks for a route of Patroni', () => {
    assert.equal(routes(proxy('a', 'option httpchk GET /index.html')).length, 5);
    assert.equal(routes('').length, 5);
    const two = 'option httpchk\n  http-check send uri /primary\n  http-check connect\n  http-check send uri /x';
    assert.match(commentsOf(printed(API, proxy('a', two))), /listen a \(line 1\) also asks for \/x: this is no route/);
  });

  it('compares the time that HAProxy takes with the bound', () => {
    const sum = (inter: string, dcs = '{}'): string => {
      const text = printed(
        `${API}bootstrap: {dcs: ${dcs}}`,
        proxy('a', 'option httpchk GET /primary', `check port 8009 ${inter}`),
      );
      return /cache\.ttl \d.*$/.exec(commentsOf(text))?.[0] ?? '';
    };
    assert.equal(sum('inter 3s fastinter 1s fall 3'), 'cache.ttl 4 + 5 = 9 s: within the bound of 10 s.');
    assert.equal(
      sum('inter 3s fall 3'),
      'cache.ttl 4 + 9 = 13 s: OVER the bound of 10 s by 3 s. Only the lease guard prevents two primaries then. Write ' +
        '`inter 3s fastinter 1s fall 3` (5 s).',
    );
    assert.match(
      sum('inter 10s fall 3'),
      /4 \+ 30 = 34 s: OVER the bound of 10 s by 24 s\. HAProxy may use the old primary/,
    );
    assert.match(
      sum('inter 3s fall 3', '{ttl: 20, loop_wait: 10, retry_timeout: 3}'),
      /`inter 2s fastinter 500ms fall 3` \(3 s\)/,
    );
    assert.match(sum('inter 3s fall 3', '{ttl: 20, loop_wait: 14, retry_timeout: 3}'), /Raise Patroni's ttl/);
    assert.match(
      commentsOf(printed(API, proxy('a', 'option httpchk GET /replica'))),
      /This does not depend on the leader key/,
    );
  });

  it('answers the agent checks of the example', () => {
    const config = parsedConfig(printed(API, readFileSync(`${root}examples/haproxy-agent.cfg`, 'utf8')));
    assert.equal(config.agent.port, 8010);
    assert.deepEqual(config.backend.routes, ['/primary', '/replica']);
    assert.equal(parsedConfig(printed(API, readFileSync(`${root}examples/haproxy.cfg`, 'utf8'))).agent.port, undefined);
  });

  it('is one that patroniglue reads, whatever the file has', () => {
    const target = fc.oneof(fc.constantFrom('/', '/primary', '/replica?lag=1', '/x', '*/'), fc.string());
    const text = fc.oneof(
      fc.string(),
      target.map((uri) => proxy('a', `option httpchk GET ${uri}`)),
      target.map((uri) => proxy('a', `option httpchk GET "${uri}"`)),
    );
    fc.assert(fc.property(text, (haproxy) => void parsedConfig(printed(API, haproxy))));
  });
});

describe('a secret in patroni.yml', () => {
  const secrets = `${HEAD}
restapi:
  listen: 0.0.0.0:8008
  connect_address: 10.0.0.11:8008
  certfile: s.pem
  keyfile_password: SECRET1
  verify_client: required
  authentication: {username: api, password: SECRET2}
  http_extra_headers: {X-Token: SECRET3}
ctl:
  certfile: c.pem
  keyfile_password: SECRET4
  authentication: {username: api, password: SECRET5}
etcd3:
  url: https://root:SECRET6@10.0.0.21:2379
  hosts: ["http://root:SECRET7@10.0.0.22:2379"]
  proxy_password: SECRET8
  username: root
  password: SECRET9
consul_: {token: SECRET10}
postgresql:
  listen: "*:5432"
  connect_address: 10.0.0.11:5432
  authentication:
    superuser: {username: postgres, password: "SECRET11"}
    replication: {username: repl, password: |
      SECRET12
    }
  parameters: {x: SECRET13}
bootstrap:
  users: {admin: {password: SECRET14}}
`.replace('password: |\n      SECRET12\n    }', 'password: SECRET12}');
  const others = ['consul', 'kubernetes', 'zookeeper', 'raft', 'etcd', 'exhibitor'];
  const environment = Object.fromEntries(
    ['RESTAPI', 'CTL', 'SUPERUSER', 'REPLICATION', 'REWIND', 'ETCD3', 'ETCD', 'RAFT'].map((section, at) => [
      `PATRONI_${section}_PASSWORD`,
      `SECRET${20 + at}`,
    ]),
  );

  it('is not in the output, wherever it is', () => {
    const texts = [
      printed(secrets),
      printed(secrets.replace('url:', 'proxy:')),
      printed(secrets.replace(/^ {2}url: .*\n/m, '')),
      printed(secrets, 'listen a\noption httpchk GET /primary\nserver s 10.0.0.1:1 check port 8008'),
      printed(secrets, undefined, environment),
      printed(API, undefined, {
        ...environment,
        PATRONI_ETCD3_URL: 'http://u:SECRET30@a',
        PATRONI_CONSUL_TOKEN: 'SECRET31',
      }),
      ...others.map((name) =>
        printed(
          `${secrets.replace('etcd3:', 'other:')}${name}: {token: SECRET40, password: SECRET41, auth_data: {SECRET42: x}}`,
        ),
      ),
    ];
    for (const text of texts) {
      assert.doesNotMatch(text, /SECRET/);
      parsedConfig(text);
    }
  });

  it('is neither in the output nor in a message after a slip of the pen', () => {
    const slip = fc.record({
      at: fc.nat(secrets.length - 1),
      removed: fc.constantFrom(0, 1, 2),
      inserted: fc.constantFrom(
        '',
        ' ',
        '\n',
        ':',
        '"',
        "'",
        '{',
        '[',
        '}',
        ']',
        '|',
        '\\',
        '!',
        '&',
        '*',
        '%',
        '#',
        '@',
        '- ',
        '\t',
        '`',
      ),
    });
    fc.assert(
      fc.property(slip, ({ at, removed, inserted }) => {
        const text = secrets.slice(0, at) + inserted + secrets.slice(at + removed);
        try {
          assert.doesNotMatch(printed(text), /SECRET\d/);
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error;
          assert.doesNotMatch(error.message, /SECRET\d/);
        }
      }),
      { numRuns: 3000 },
    );
  });
});
