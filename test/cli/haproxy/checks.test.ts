import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { type ProxyChecks, agentsAloneIn, checksIn, timeToDownMs } from '../../../src/cli/haproxy/checks.js';
import { wordsOf } from '../../../src/cli/haproxy/words.js';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const only = (text: string): ProxyChecks => {
  const [check, ...others] = checksIn(text);
  assert.ok(check !== undefined && others.length === 0, JSON.stringify([check, ...others]));
  return check;
};
const listen = (lines: string, defaults = ''): ProxyChecks =>
  only(`defaults\n${defaults}\nlisten a\n${lines}\n  server s 10.0.0.1:5432 check port 8008\n`);

describe('the words of a line of haproxy.cfg', () => {
  it('are quoted and escaped as in a shell', () => {
    const table: readonly (readonly [line: string, ...words: string[]])[] = [
      ['  option httpchk   GET /primary # text', 'option', 'httpchk', 'GET', '/primary'],
      ['a\\ b \\# \\\\ \\" \\x41 \\n', 'a b', '#', '\\', '"', 'A', '\n'],
      ['"a b" \'c "d\' "e\\"f" "" x"y"z', 'a b', 'c "d', 'e"f', '', 'xyz'],
      ["'a\\nb'", 'a\\nb'],
      ['a"b', 'ab'],
      ['a\\', 'a\\'],
      ['# text'],
      [''],
    ];
    for (const [line, ...words] of table) assert.deepEqual(wordsOf(line), words, line);
  });
});

describe('the health checks of haproxy.cfg', () => {
  it('are read in a time that grows with the file, whatever is in it', () => {
    const sends = 'http-check send uri /primary\n'.repeat(60_000);
    const { targets } = listen(`option httpchk\n${sends}`);
    assert.ok(targets.length <= 100, `${targets.length} requests of one check`);
    const sections = 'backend b\n  option httpchk\n  server s 10.0.0.1:5432 check\n'.repeat(20_000);
    assert.equal(checksIn(`defaults\n${sends}${sections}`).length, 20_000);
  });

  it('ask for what option httpchk says', () => {
    const table: readonly (readonly [lines: string, ...targets: string[]])[] = [
      ['option httpchk', '/'],
      ['option httpchk /replica', '/replica'],
      ['option httpchk GET /replica?lag=10MB', '/replica?lag=10MB'],
      ['option httpchk HEAD /primary HTTP/1.1\\r\\nHost:\\ x', '/primary'],
      ['option httpchk "GET" \'/sync\'', '/sync'],
    ];
    for (const [lines, ...targets] of table) assert.deepEqual(listen(lines).targets, targets, lines);
  });

  it('ask for what http-check send says', () => {
    const table: readonly (readonly [lines: string, ...targets: (string | undefined)[]])[] = [
      ['option httpchk\nhttp-check send meth GET uri /replica ver HTTP/1.1 hdr Host x', '/replica'],
      ['option httpchk GET /primary\nhttp-check send hdr Host x', '/primary'],
      ['option httpchk GET /a\nhttp-check send uri /b', '/b'],
      ['http-check send uri /b\noption httpchk GET /a', '/a'],
      ['http-check send uri /b\noption httpchk', '/b'],
      ['option httpchk\nhttp-check send uri /a\nhttp-check connect\nhttp-check send uri /b', '/a', '/b'],
      ['option httpchk GET /a\nhttp-check send hdr x y\nhttp-check connect\nhttp-check send hdr x y', '/a', '/'],
      ['option httpchk\nhttp-check send uri-lf /a?x=%[str(1)]', undefined],
      ['option httpchk\nhttp-check send uri-lf /a', '/a'],
    ];
    for (const [lines, ...targets] of table) assert.deepEqual(listen(lines).targets, targets, lines);
  });

  it('have the rules of the defaults section, or their own', () => {
    const defaults = 'option httpchk GET /primary\nhttp-check send hdr Host x\ntimeout check 5s';
    const table: readonly (readonly [lines: string, ...targets: string[]])[] = [
      ['mode tcp', '/primary'],
      ['option httpchk GET /replica', '/replica'],
      ['option httpchk', '/'],
      ['http-check send hdr x y', '/'],
      ['http-check expect status 200'], // HAProxy sends nothing then
      ['http-check disable-on-404', '/primary'],
    ];
    for (const [lines, ...targets] of table) assert.deepEqual(listen(lines, defaults).targets, targets, lines);
    assert.equal(listen('', defaults).timeoutMs, 5000);
    assert.equal(listen('timeout check 500ms', defaults).timeoutMs, 500);
  });

  it('are not those of servers without a check, nor of another kind', () => {
    const server = 'server s 10.0.0.1:5432';
    for (const lines of [
      `option httpchk\n${server}`,
      `option httpchk\n${server} check no-check`,
      `option tcp-check\n${server} check`,
      `option httpchk\noption pgsql-check user x\n${server} check`,
      server,
      'option httpchk',
    ]) {
      assert.deepEqual(checksIn(`listen a\n${lines}`), [], lines);
    }
    assert.deepEqual(checksIn('frontend f\n option httpchk\n server s 10.0.0.1:1 check'), []);
    assert.deepEqual(checksIn('option httpchk\nserver s 10.0.0.1:1 check'), []);
  });

  it('know the defaults section by its name, and otherwise the last one', () => {
    const text = `
defaults d1
  option httpchk GET /primary
  default-server inter 1s
defaults d2 from d1
  option httpchk GET /replica
defaults
  option httpchk GET /sync
listen a from d1
  server s 10.0.0.1:1 check
backend b from d2
  server s 10.0.0.1:1 check
listen c
  server s 10.0.0.1:1 check
listen d from nobody
  server s 10.0.0.1:1 check
`;
    const found = checksIn(text).map(({ section, line, targets, servers }) => [
      section,
      line,
      targets[0],
      servers[0]?.interMs,
    ]);
    assert.deepEqual(found, [
      ['listen a', 9, '/primary', 1000],
      ['backend b', 11, '/replica', 1000],
      ['listen c', 13, '/sync', 2000],
    ]);
  });

  it('have the times of the server, or of the default-server lines above it', () => {
    const server = (settings: string, defaultServer = ''): unknown => {
      const text = `listen a\noption httpchk\n${defaultServer}\nserver s 10.0.0.1:5432 check ${settings}`;
      const { servers } = only(text);
      return [servers[0]?.interMs, servers[0]?.fastInterMs, servers[0]?.fall, servers[0]?.port];
    };
    assert.deepEqual(server(''), [2000, 2000, 3, 5432]);
    assert.deepEqual(server('inter 3s fall 2 port 8008'), [3000, 3000, 2, 8008]);
    assert.deepEqual(server('fastinter 500', 'default-server inter 1m fall 5 port 8009'), [60_000, 500, 5, 8009]);
    assert.deepEqual(server('inter 1500us'), [2, 2, 3, 5432]);
    assert.deepEqual(server('inter 1h fastinter 1d'), [3_600_000, 86_400_000, 3, 5432]);
    assert.deepEqual(server('inter soon fall x fastinter'), [2000, 2000, 3, 5432]);
    assert.deepEqual(server('inter 1s fastinter 2s inter 3s'), [3000, 2000, 3, 5432]);
    assert.equal(timeToDownMs(only('listen a\noption httpchk\nserver s 10.0.0.1:1 check inter 3s fastinter 1s')), 5000);
    assert.equal(timeToDownMs(only('listen a\noption httpchk\nserver s 10.0.0.1:1 check fall 0')), 2000);
    const template = only('listen a\noption httpchk\nserver-template s 1-3 node.example.org:5432 check inter 1s');
    assert.deepEqual([template.servers[0]?.port, template.servers[0]?.interMs], [5432, 1000]);
  });

  it('ask the host of addr, or of the server', () => {
    const hostOf = (server: string): unknown => only(`listen a\noption httpchk\nserver s ${server}`).servers[0]?.host;
    assert.equal(hostOf('10.0.0.1:5432 check port 8009'), '10.0.0.1');
    assert.equal(hostOf('10.0.0.1:5432 check addr 10.1.0.1 port 8009'), '10.1.0.1');
    assert.equal(hostOf('node1.example.org:5432 check'), 'node1.example.org');
    assert.equal(hostOf('[fd00::1]:5432 check'), 'fd00::1');
    assert.equal(hostOf('ipv4@10.0.0.1:5432 check'), '10.0.0.1');
    assert.equal(hostOf('10.0.0.1 check'), '10.0.0.1');
  });

  it('are missing beside some agent checks', () => {
    const text = `listen a
      server one 10.0.0.1:5432 agent-check agent-port 8010
      server two 10.0.0.2:5432 check agent-check agent-port 8010
      server three 10.0.0.3:5432 check
      server four 10.0.0.4:5432 check no-check agent-check agent-port 8010
backend b
      server one 10.0.0.1:5432 check`;
    assert.deepEqual(agentsAloneIn(text), [{ section: 'listen a', line: 1, servers: ['one', 'four'] }]);
  });

  it('are those of the examples', () => {
    for (const [file, agents] of [
      ['haproxy.cfg', false],
      ['haproxy-agent.cfg', true],
    ] as const) {
      const checks = checksIn(readFileSync(`${root}examples/${file}`, 'utf8'));
      assert.deepEqual(
        checks.map(({ section, targets, timeoutMs }) => [section, targets, timeoutMs]),
        [
          ['listen primary', ['/primary'], 1000],
          ['listen replica', ['/replica'], 1000],
        ],
      );
      for (const { servers } of checks) {
        assert.deepEqual(
          servers.map(({ name, port }) => [name, port]),
          [
            ['node1', 8009],
            ['node2', 8009],
          ],
        );
        assert.equal(timeToDownMs({ servers }), 5000);
      }
      const [first] = checks;
      assert.deepEqual(first?.servers[0]?.agent, agents ? { port: 8010, sends: '/primary' } : undefined);
    }
  });

  it('are found or not, whatever a file has', () => {
    const word = fc.constantFrom(
      ...['defaults', 'listen', 'backend', 'from', 'option', 'httpchk', 'http-check', 'send', 'uri', 'uri-lf', 'GET'],
      ...['/primary', 'default-server', 'server', 'server-template', 'check', 'inter', 'fall', '3s', '1', 'timeout'],
      ...[
        'agent-check',
        'agent-port',
        'agent-send',
        'port',
        '10.0.0.1:1',
        '\n',
        '\n',
        '"',
        "'",
        '\\',
        '#',
        '__proto__',
      ],
    );
    const text = fc.oneof(
      fc.string(),
      fc.array(word, { maxLength: 80 }).map((words) => words.join(' ')),
    );
    fc.assert(
      fc.property(text, (cfg) => {
        for (const check of checksIn(cfg)) assert.ok(timeToDownMs(check) >= 0);
      }),
      { numRuns: 2000 },
    );
  });
});
