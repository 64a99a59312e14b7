import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { type Server, createServer } from 'node:http';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { checksIn } from '../../src/cli/haproxy/checks.js';
import { patched, patroniEnvironment } from '../../src/cli/init/patroni-environment.js';
import { settingsOf } from '../../src/cli/init/patroni-settings.js';
import { readPythonYaml } from '../../src/cli/init/python-yaml.js';
import { authority } from '../../src/network/authority.js';
import { commentsOf, parsedConfig, printed } from '../cli/init/printed.js';
import { freePort } from '../support/processes/ports.js';
import { findPrograms, skipReason } from '../support/processes/programs.js';
import { type Workspace, createWorkspace } from '../support/processes/workspace.js';
import { eventually } from '../support/time/wait.js';

const script = fileURLToPath(new URL('../../../test/support/cluster/patroni_config.py', import.meta.url));
const source = process.env['PATRONI_SOURCE'];

interface Asked {
  readonly yaml: string;
  readonly environment: Record<string, string>;
}

/** What Patroni reads. */
interface Read {
  readonly error?: string;
  readonly name: unknown;
  readonly local: Record<string, unknown>;
  readonly restapi: unknown;
  readonly ctl: unknown;
  readonly leader: string;
  readonly hosts: readonly string[];
}

function patroniReads(asked: readonly Asked[]): readonly Read[] {
  const output = execFileSync('/usr/bin/python3', [script], {
    input: JSON.stringify(asked),
    encoding: 'utf8',
    env: { PATH: '/usr/bin:/bin', PYTHONDONTWRITEBYTECODE: '1', ...(source !== undefined && { PYTHONPATH: source }) },
    timeout: 60_000,
  });
  return JSON.parse(output) as readonly Read[];
}

const skip = await skipReason();

describe("patroni.yml and the environment, beside Patroni's own code", { skip }, () => {
  const head = 'scope: main\nname: node1\nrestapi: {listen: "0.0.0.0:8008"}\npostgresql: {listen: "*:5432"}\n';

  it('has the same values for words without quotes', () => {
    const word = fc.stringMatching(/^[-+0-9a-fxob_.:eEnNyYsS~]{1,8}$/);
    const seed = Math.floor(Math.random() * 2 ** 31);
    const words = fc.sample(word, { numRuns: 3000, seed });
    const patroni = patroniReads(words.map((text) => ({ yaml: `${head}word: ${text}\n`, environment: {} })));
    let compared = 0;
    for (const [at, { local, error }] of patroni.entries()) {
      if (error !== undefined || /\d{4}-\d/.test(words[at] ?? '')) continue; // dates: `readPythonYaml` leaves them as they are
      const read = readPythonYaml('p.yml', `${head}word: ${words[at] ?? ''}\n`)['word'];
      const ours = read === 0 ? 0 : read; // Python's integers have no -0
      assert.deepEqual(ours, local['word'] ?? null, `${words[at] ?? ''} (seed ${seed})`);
      compared += 1;
    }
    assert.ok(compared > 1000, String(compared));
  });

  const etcd3 = `${head}etcd3: {host: a}\n`;
  const asked: readonly Asked[] = [
    { yaml: etcd3, environment: {} },
    { yaml: etcd3, environment: { PATRONI_NAME: 'other', PATRONI_SCOPE: 's', PATRONI_NAMESPACE: '/n/' } },
    { yaml: etcd3, environment: { PATRONI_NAME: '' } },
    { yaml: `${etcd3}namespace: //a//b\n`, environment: {} },
    { yaml: `${etcd3}namespace: /postgresql-common/\n`, environment: {} },
    { yaml: `${etcd3}citus: {group: 3, database: db}\n`, environment: {} },
    { yaml: `${etcd3}citus: {group: 3}\n`, environment: {} },
    { yaml: etcd3, environment: { PATRONI_CITUS_GROUP: '0', PATRONI_CITUS_DATABASE: 'db' } },
    { yaml: `${head}etcd3: {host: "a:1", port: 2}\n`, environment: {} },
    { yaml: `${head}etcd3: {hosts: "a:1, b", port: 2}\n`, environment: {} },
    { yaml: `${head}etcd3: {hosts: [a, "[fd00::1]:2"], host: z, protocol: https}\n`, environment: {} },
    { yaml: `${head}etcd3: {url: "https://u:p@a"}\n`, environment: {} },
    { yaml: `${head}etcd3: {proxy: "http://a:7"}\n`, environment: {} },
    { yaml: head, environment: { PATRONI_ETCD3_HOSTS: 'a:1,b' } },
    { yaml: head, environment: { PATRONI_ETCD3_HOSTS: "'a:1', b", PATRONI_ETCD3_PROTOCOL: 'https' } },
    { yaml: head, environment: { PATRONI_ETCD3_HOSTS: '- a:1\n- b' } },
    { yaml: head, environment: { PATRONI_ETCD3_HOST: 'a', PATRONI_ETCD3_PORT: '77' } },
    { yaml: etcd3, environment: { PATRONI_ETCD3_HOSTS: 'b:1' } },
    { yaml: etcd3, environment: { PATRONI_ETCD3_URL: 'http://b' } },
    { yaml: etcd3, environment: { PATRONI_ETCD_HOST: 'x' } },
  ];

  it('has the same name, the same key in the DCS and the same hosts of etcd', () => {
    for (const [at, read] of patroniReads(asked).entries()) {
      const { yaml, environment } = asked[at] ?? { yaml: '', environment: {} };
      assert.equal(read.error, undefined, yaml);
      const ours = settingsOf('p.yml', patched(readPythonYaml('p.yml', yaml), patroniEnvironment(environment)));
      const label = JSON.stringify(asked[at]);
      assert.equal(ours.name, read.name, label);
      assert.equal(`${ours.key}/leader`, read.leader, label);
      if (ours.dcs.kind !== 'etcd3') continue;
      const scheme = ours.dcs.https ? 'https' : 'http';
      const hosts = ours.dcs.hosts.map(({ host, port }) => `${scheme}://${authority(host, port)}`);
      assert.deepEqual(hosts.sort(), [...read.hosts].sort(), label);
    }
  });

  it('has the same keys of restapi and ctl from the environment', () => {
    const environment = {
      PATRONI_RESTAPI_LISTEN: '10.0.0.1:8009',
      PATRONI_RESTAPI_CONNECT_ADDRESS: '10.0.0.2:8009',
      PATRONI_RESTAPI_CERTFILE: 's.pem',
      PATRONI_RESTAPI_CAFILE: 'ca.pem',
      PATRONI_RESTAPI_VERIFY_CLIENT: 'required',
      PATRONI_CTL_INSECURE: 'Yes',
      PATRONI_CTL_CACERT: 'ca.pem',
      PATRONI_CTL_CERTFILE: 'c.pem',
      PATRONI_CTL_KEYFILE: 'c.key',
    };
    const [read] = patroniReads([{ yaml: head, environment }]);
    const ours = patched(readPythonYaml('p.yml', head), patroniEnvironment(environment));
    assert.deepEqual([ours['restapi'], ours['ctl']], [read?.restapi, read?.ctl]);
  });
});

describe("the configuration that Debian's program makes for Patroni", { skip: skip || debianSkip() }, () => {
  let workspace: Workspace;
  before(async () => {
    workspace = await createWorkspace();
  });
  after(async () => {
    await workspace.close();
  });

  /** Runs pg_createconfig_patroni, with the workspace in place of /etc/patroni. */
  async function createConfig(dcs: string): Promise<string> {
    const [version = ''] = readdirSync('/usr/lib/postgresql').sort().reverse();
    const program = readFileSync('/usr/bin/pg_createconfig_patroni', 'utf8');
    await workspace.write('config.yml.in', readFileSync('/etc/patroni/config.yml.in', 'utf8'));
    await workspace.write('dcs.yml', dcs);
    const there = await workspace.write('create.sh', program.replaceAll('/etc/patroni', workspace.dir));
    const options = ['--force', '--hostip=10.0.0.11', '--network=10.0.0.0/24', '--port=5931'];
    await workspace.run('pg_createconfig_patroni', '/bin/sh', [there, ...options, version, 'init']);
    return readFileSync(workspace.path(`${version}-init.yml`), 'utf8');
  }

  it('becomes a configuration of patroniglue, with a witness for etcd3', async () => {
    const text = await createConfig('etcd3:\n  hosts:\n  - 10.0.0.21:2379\n  - 10.0.0.22:2379\n');
    const printedText = printed(text);
    const { frontend, backend, cache, witness } = parsedConfig(printedText);
    assert.deepEqual([frontend.host, frontend.port], ['10.0.0.11', 8009]);
    assert.deepEqual([backend.host, backend.port, backend.scheme], ['10.0.0.11', 2576 + 5931, 'http']);
    assert.equal(cache.ttlMs, 4000);
    assert.match(witness?.key ?? '', /^\/postgresql-common\/\d+-init$/);
    assert.deepEqual(witness?.postgres, { host: 'localhost', port: 5931 });
    assert.deepEqual(
      witness.etcd3.hosts.map(({ host }) => host),
      ['10.0.0.21', '10.0.0.22'],
    );
    assert.doesNotMatch(printedText, /rep-pass/);
  });

  it('becomes one without a witness for any other DCS', async () => {
    for (const [dcs, why] of [
      ['etcd:\n  host: 127.0.0.1:2379\n', /v2 API of etcd/],
      ['consul:\n  host: 127.0.0.1:8500\n', /Consul/],
      ['zookeeper:\n  hosts: 127.0.0.1:2181\n', /ZooKeeper/],
    ] as const) {
      const text = printed(await createConfig(dcs));
      assert.equal(parsedConfig(text).witness, undefined);
      assert.match(commentsOf(text), why);
    }
  });
});

/** Why Debian's program cannot run here. It gives its file to the user postgres, so it needs root. */
function debianSkip(): string | false {
  if (process.getuid?.() !== 0) return 'pg_createconfig_patroni needs root';
  try {
    readFileSync('/usr/bin/pg_createconfig_patroni');
    readFileSync('/etc/patroni/config.yml.in');
    return false;
  } catch (error) {
    return `not Debian's package patroni: ${(error as Error).message}`;
  }
}

describe('what the health checks of a real HAProxy ask for', { skip }, () => {
  let workspace: Workspace;
  let server: Server;
  const asked = new Map<string, Set<string>>();
  let checksOfLast = 0;
  before(async () => {
    workspace = await createWorkspace();
    server = createServer(({ url = '', socket }, response) => {
      const address = socket.localAddress ?? '';
      asked.set(address, (asked.get(address) ?? new Set()).add(url));
      if (url === '/last') checksOfLast += 1;
      response.end();
    });
    await once(server.listen(0, '0.0.0.0'), 'listening');
  });
  after(async () => {
    server.close();
    server.closeAllConnections();
    await workspace.close();
  });

  /** Sections of rules. The first line of each is its defaults section: `-` for the one without rules. */
  const sections: readonly string[] = [
    '- | option httpchk',
    '- | option httpchk /replica',
    '- | option httpchk GET /replica?lag=10MB',
    '- | option httpchk "GET" \'/sync\'',
    '- | option httpchk | http-check send meth GET uri /replica',
    '- | option httpchk GET /primary | http-check send hdr X y',
    '- | option httpchk GET /a | http-check send uri /b',
    '- | http-check send uri /b | option httpchk GET /a',
    '- | http-check send uri /b | option httpchk',
    '- | option httpchk | http-check connect | http-check send uri /a | http-check expect status 200 | http-check connect | http-check send uri /b',
    '- | option httpchk | http-check send uri-lf /a',
    '- | option httpchk GET /a\\x2fb',
    '- | option tcp-check',
    '+ | mode tcp',
    '+ | option httpchk GET /replica',
    '+ | option httpchk',
    '+ | http-check send hdr x y',
    '+ | http-check expect status 200',
    '+ | http-check disable-on-404',
    '+ | option tcp-check',
  ];
  const addressOf = (at: number): string => `127.0.1.${at + 1}`;

  it('is what the file says to patroniglue', async () => {
    const { port } = server.address() as { port: number };
    const times = 'mode tcp\n  timeout connect 1s\n  timeout server 1s\n  timeout client 1s\n  timeout check 500ms';
    const rest = 'default-server inter 200ms check';
    const defaults = {
      '-': `defaults\n  ${times}\n  ${rest}\n`,
      '+': `defaults\n  ${times}\n  ${rest}\n  option httpchk GET /primary\n  http-check send hdr X z\n`,
    };
    const control = `listen last\n  bind 127.0.0.1:${await freePort()}\n  option httpchk GET /last\n  server s 127.0.2.1:${port}\n`;
    let text = '';
    for (const [at, section] of sections.entries()) {
      const [kind = '-', ...lines] = section.split(' | ');
      text += `${defaults[kind as '-' | '+']}backend b${at}\n${lines.map((line) => `  ${line}\n`).join('')}`;
      text += `  server s ${addressOf(at)}:${port}\n`;
    }
    const file = await workspace.write('haproxy.cfg', text + control);
    await workspace.start('haproxy', findPrograms().haproxy, ['-db', '-f', file]);
    await eventually('HAProxy has made ten checks of each server', 10_000, () => checksOfLast >= 10);
    const found = checksIn(text);
    for (const [at, section] of sections.entries()) {
      const ours = found.find((check) => check.section === `backend b${at}`)?.targets ?? [];
      assert.deepEqual([...(asked.get(addressOf(at)) ?? [])].sort(), [...ours].sort(), section);
    }
  });
});
