import assert from 'node:assert/strict';
import { chmod } from 'node:fs/promises';
import { after, before, beforeEach, describe, it } from 'node:test';
import { type Owner, startProcess } from '../support/processes/processes.js';
import { mainFile } from '../support/processes/main-file.js';
import { type Service, startService } from '../support/processes/service.js';
import { freePort } from '../support/processes/ports.js';
import { type Workspace, createWorkspace } from '../support/processes/workspace.js';
import { nowMs } from '../support/time/monotonic.js';
import { eventually, within } from '../support/time/wait.js';
import { startScriptedEtcd } from '../support/upstreams/etcd.js';
import {
  type Behaviour,
  type Upstream,
  answering,
  routeOf,
  silent,
  startUpstream,
} from '../support/upstreams/upstream.js';

const STATUS =
  '{"state": "running", "role": "primary", "patroni": {"version": "4.1.0", "scope": "main", "name": "node1"}}';

/** A Patroni with its default timings. */
const healthy: Behaviour = (socket, head) => {
  const body = routeOf(head) === '/config' ? '{"ttl": 30, "loop_wait": 10, "retry_timeout": 10}' : STATUS;
  answering(200, body)(socket, head);
};

/** The doctor promises to take less than ten seconds; a busy machine starts Node slowly. */
const MOST_MS = 15_000;

/** Root may read every file; this user, none that is hidden. */
const NOBODY = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : undefined;

interface Report {
  readonly code: number | null;
  readonly lines: readonly string[];
  readonly tookMs: number;
}

describe('--doctor', () => {
  let workspace: Workspace;
  let upstream: Upstream;
  let service: Service;
  before(async () => {
    workspace = await createWorkspace();
    upstream = await startUpstream();
    upstream.behave(healthy);
    service = await startService({
      config: { backend: { host: '127.0.0.1', port: upstream.port, timeout: 0.5, routes: ['/primary', '/replica'] } },
    });
    await untilReady();
  });
  beforeEach(async () => {
    upstream.behave(healthy);
    upstream.cut(); // what hung is never answered
    await untilReady();
    for (const route of ['/primary', '/replica']) await service.get(route);
  });
  after(async () => {
    await service.close();
    await upstream.close();
    await workspace.close();
  });

  const untilReady = (): Promise<unknown> =>
    eventually('the service is ready', 10_000, async () => (await service.get('/-/ready')).status === 200);

  const doctor = (...args: readonly string[]): Promise<Report> => doctorAs(undefined, ...args);
  const doctorAs = async (owner: Owner | undefined, ...args: readonly string[]): Promise<Report> => {
    const sinceMs = nowMs();
    const all = [mainFile, '--doctor', ...args];
    const child = await startProcess('patroniglue', process.execPath, all, {
      env: { PATH: process.env['PATH'] ?? '' },
      owner,
    });
    const { code } = await within('it ends', MOST_MS, child.exit);
    return { code, lines: child.output().trimEnd().split('\n'), tookMs: nowMs() - sinceMs };
  };
  const haproxy = (words: string): Promise<string> =>
    workspace.write(
      'haproxy.cfg',
      `listen primary
  option httpchk GET /primary
  default-server ${words}
  server node1 127.0.0.1:5432 check port ${service.port}
listen replica
  option httpchk GET /replica
  default-server ${words}
  server node1 127.0.0.1:5432 check port ${service.port}
`,
    );
  /** The line of a check that is in this state. */
  const has = ({ lines }: Report, state: string, check: string, found: RegExp): void => {
    const line = lines.find((one) => one.startsWith(state) && one.split(/\s+/)[1] === check && found.test(one));
    assert.ok(line !== undefined, `${state} ${check} ${String(found)} in\n${lines.join('\n')}`);
  };

  it('finds nothing if all is well, and ends with 0', async () => {
    const report = await doctor(
      '--config',
      service.configFile,
      '--haproxy',
      await haproxy('inter 3s fastinter 1s fall 3'),
    );
    assert.match(report.lines[0] ?? '', /^PATRONIGLUE OK - \d+ checks, nothing to do \| patroni=0\.\d{3}s$/);
    has(report, 'OK', 'timings', /listen primary .* = 9 s: within the bound of 10 s/);
    has(report, 'OK', 'clients', /\/primary: \d+ checks/);
    has(report, 'OK', 'reach', /127\.0\.0\.1 port \d+ accepts connections/);
    has(report, 'OK', 'patroni', /\/primary 200 in \d+ ms \(node1 primary running\)/);
    assert.equal(report.code, 0, report.lines.join('\n'));
  });

  it('does not count as somebody who asks', async () => {
    const other = await startService({ config: { backend: { host: '127.0.0.1', port: upstream.port } } });
    await doctor('--config', other.configFile);
    await doctor('--config', other.configFile);
    const page = await other.get('/-/metrics');
    await other.close();
    assert.doesNotMatch(page.kind === 'reply' ? page.body : '', /^patroniglue_checks_total\{route="\//m);
  });

  it('looks at the process of its own service, beside one at the same port of another address', async () => {
    const frontend = { host: '127.0.0.2', port: service.port };
    const other = await startService({ config: { frontend, backend: { host: '127.0.0.1', port: upstream.port } } });
    await eventually('it listens', 10_000, () =>
      other.output().includes(`listening on http://127.0.0.2:${service.port}`),
    );
    for (const { configFile, pid } of [service, other]) {
      const report = await doctor('--config', configFile);
      has(report, 'OK', 'files', new RegExp(`process ${pid}: `));
    }
    await other.close();
  });

  it('says that HAProxy acts too late, what to write, and ends with 1', async () => {
    const report = await doctor('--config', service.configFile, '--haproxy', await haproxy('inter 3s fall 3'));
    assert.match(report.lines[0] ?? '', /^PATRONIGLUE WARNING - timings: listen primary \(line 1\)/);
    has(report, 'WARNING', 'timings', /cache\.ttl 4 s \+ fall and inter 9 s = 13 s: over the bound of 10 s/);
    assert.match(report.lines.join('\n'), /^ +to do: Write `inter 3s fastinter 1s fall 3` \(5 s\)/m);
    assert.equal(report.code, 1);
  });

  it('says that Patroni is frozen, asks it only one route, and ends with 2', async () => {
    upstream.behave(silent);
    await eventually('checks of every route get 503', 10_000, async () => {
      const reply = await service.get('/-/ready');
      return reply.kind === 'reply' && reply.body.includes('/primary, /replica');
    });
    const report = await doctor('--config', service.configFile);
    has(report, 'CRITICAL', 'patroni', /\/primary: poll timed out .*2 other routes are not asked/);
    has(report, 'CRITICAL', 'service', /not ready: no fresh answer to \/primary, \/replica/);
    assert.equal(report.code, 2);
  });

  it('says that no service runs, reports the rest, asks Patroni each route once, and ends with 2', async () => {
    const gone = await startUpstream();
    gone.behave(healthy);
    const config = {
      frontend: { host: '127.0.0.1', port: await freePort() },
      backend: { host: '127.0.0.1', port: gone.port },
    };
    const file = await workspace.write('config.yml', JSON.stringify(config));
    const report = await doctor('--config', file);
    assert.match(
      report.lines[0] ?? '',
      /^PATRONIGLUE CRITICAL - service: no patroniglue answers at 127\.0\.0\.1:\d+: connect ECONN/,
    );
    has(report, 'OK', 'patroni', /\/primary 200/);
    has(report, 'OK', 'timings', /cache\.ttl 4 s: within the bound of 10 s/);
    assert.deepEqual(gone.requests.map(routeOf).sort(), ['/config', '/primary', '/read-only', '/replica']);
    assert.equal(report.code, 2);
    await gone.close();
  });

  it('says what is wrong with a configuration, and ends with 2', async () => {
    const file = await workspace.write('bad.yml', 'cache:\n  tll: 4\n');
    const report = await doctor('--config', file);
    assert.match(report.lines[0] ?? '', /^PATRONIGLUE CRITICAL - configuration: .*bad\.yml:2:3: .*tll/);
    assert.equal(report.code, 2);
  });

  it('takes no other program for patroniglue, whatever it answers and however much', async () => {
    const other = await startUpstream();
    const configFile = await workspace.write(
      'other.yml',
      JSON.stringify({
        frontend: { host: '127.0.0.1', port: other.port },
        backend: { host: '127.0.0.1', port: upstream.port },
      }),
    );
    other.behave(answering(200, 'all is | well'));
    const fine = await doctor('--config', configFile);
    has(fine, 'CRITICAL', 'service', /another program does, with HTTP 200 for \/-\/ready/);
    assert.equal(fine.lines.filter((line) => line.includes('|')).length, 1, 'Nagios reads measures after each bar');
    other.behave((socket) => {
      socket.write('HTTP/1.0 200 OK\r\n\r\n');
      const more = (): void => {
        socket.write('x'.repeat(1_000_000), (error) => (error ? undefined : setImmediate(more)));
      };
      more();
    });
    has(await doctor('--config', configFile), 'CRITICAL', 'service', /its reply has more than \d+ characters/);
    other.behave((socket) => socket.resetAndDestroy());
    has(
      await doctor('--config', configFile),
      'CRITICAL',
      'service',
      /no patroniglue answers .*(ECONNRESET|socket hang up)/,
    );
    await other.close();
  });

  it('ends with 3 for a wrong command line', async () => {
    for (const wrong of ['--bogus', '--check']) assert.equal((await doctor(wrong)).code, 3);
  });

  it('ends with 3 if this user may not read the file: that is no fault of the service', async (t) => {
    const file = await workspace.write('hidden.yml', '{}');
    await chmod(file, 0);
    const report = await doctorAs(NOBODY, '--config', file).catch((cause: unknown) => {
      if ((cause as NodeJS.ErrnoException).code !== 'EACCES') throw cause;
      return undefined;
    });
    if (report === undefined || report.code === 1) {
      t.skip('another user may not run this Node, or may not read this clone');
      return;
    }
    has(report, 'UNKNOWN', 'configuration', /permission denied/);
    assert.match(report.lines.join('\n'), /to do: Run it as root/);
    assert.equal(report.code, 3);
  });

  it('says the same as JSON', async () => {
    const { code, lines } = await doctor('--config', service.configFile, '--json', '--haproxy', '/nowhere/haproxy.cfg');
    const report = JSON.parse(lines.join('\n')) as { state: string; 'exit-code': number; findings: object[] };
    assert.deepEqual([report.state, report['exit-code'], code], ['UNKNOWN', 3, 3], lines.join('\n'));
    assert.ok(report.findings.length > 8);
  });

  it('waits for nothing longer than ten seconds, whatever hangs', async () => {
    const [hung, dead, etcd] = [await startUpstream(), await startUpstream(), await startScriptedEtcd()];
    for (const one of [hung, dead]) one.behave(silent);
    etcd.behave(silent);
    const config = {
      frontend: { host: '127.0.0.1', port: dead.port },
      backend: { host: '127.0.0.1', port: hung.port, timeout: 30 },
      cache: { ttl: 60, interval: 20 },
      witness: { etcd3: { hosts: [`127.0.0.1:${etcd.port}`] }, key: '/service/main', name: 'node1', postgres: 'none' },
    };
    const file = await workspace.write('hung.yml', JSON.stringify(config));
    const report = await doctor('--config', file);
    await Promise.all([hung.close(), dead.close(), etcd.close()]);
    has(report, 'CRITICAL', 'service', /no answer within 2 s/);
    has(report, 'CRITICAL', 'patroni', /poll timed out/);
    has(report, 'WARNING', 'witness', /no answer within 3 s/);
    assert.ok(report.tookMs < 10_000, `${report.tookMs} ms`);
    assert.equal(report.code, 2);
  });
});
