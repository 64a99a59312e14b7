import assert from 'node:assert/strict';
import { readFileSync, renameSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { outcomeOf, startSteadyChecks } from '../support/checks.js';
import { ask } from '../support/http-get.js';
import { freePort } from '../support/ports.js';
import { mainFile } from '../support/service.js';
import { eventually } from '../support/wait.js';
import { createWorkspace, type Workspace } from '../support/workspace.js';

const require = createRequire(import.meta.url);
const pm2File = join(dirname(require.resolve('pm2/package.json')), 'bin', 'pm2');
const ecosystemFile = fileURLToPath(new URL('../../../ecosystem.config.cjs', import.meta.url));

/** What `pm2 jlist` says of an app; of many more fields. */
interface App {
  readonly name: string;
  readonly pid: number;
  readonly pm2_env: { readonly status: string; readonly restart_time: number; readonly pm_out_log_path: string };
}

describe('pm2 runs the service by ecosystem.config.cjs', () => {
  let workspace: Workspace;
  let patroni: Server;
  let port: number;
  let ecosystem: string;

  const pm2 = (...args: readonly string[]): Promise<string> =>
    workspace.run(`pm2 ${args[0] ?? ''}`, process.execPath, [pm2File, ...args], {
      PM2_HOME: workspace.path('pm2'),
      PATH: `${dirname(process.execPath)}:/usr/bin:/bin`,
    });
  const app = async (): Promise<App> => {
    const list = await pm2('jlist');
    const apps = JSON.parse(list.slice(list.search(/^\[(?=[{\]])/m))) as readonly App[];
    const [first] = apps;
    assert.ok(first && apps.length === 1, `one app, not ${apps.length}`);
    return first;
  };
  const log = async (): Promise<string> => readFileSync((await app()).pm2_env.pm_out_log_path, 'utf8');

  const configure = (ttl: number): Promise<string> =>
    workspace.write(
      'config.yml',
      stringify({
        frontend: { host: '127.0.0.1', port },
        backend: { host: '127.0.0.1', port: (patroni.address() as AddressInfo).port },
        cache: { ttl, interval: 0.25 },
      }),
    );

  before(async () => {
    workspace = await createWorkspace();
    patroni = createServer((_, response) => response.end('{"role": "primary"}'));
    await new Promise<void>((resolve) => patroni.listen(0, '127.0.0.1', resolve));
    port = await freePort();
    const config = await configure(2);
    // The very file, with the compiled program and the configuration of this test in place of the installed ones.
    ecosystem = await workspace.write(
      'ecosystem.config.cjs',
      `const { apps: [app] } = require(${JSON.stringify(ecosystemFile)});
       module.exports = { apps: [{ ...app, script: ${JSON.stringify(mainFile)}, args: ['--config', ${JSON.stringify(config)}] }] };`,
    );
  });
  after(async () => {
    await pm2('kill').catch(() => undefined); // close() below ends what that left
    await workspace.close();
    patroni.close();
  });

  it('start returns when the service listens', async () => {
    await pm2('start', ecosystem);
    assert.equal((await ask(port, '/-/healthy')).status, 200);
    assert.equal((await app()).pm2_env.status, 'online');
    await eventually('/primary is fresh', 5000, async () => (await ask(port, '/primary')).status === 200);
  });

  it('reload leaves a new process that answers', async () => {
    const before = await app();
    await pm2('reload', ecosystem);
    const now = await app();
    assert.notEqual(now.pid, before.pid);
    assert.equal(now.pm2_env.status, 'online');
    await eventually('/primary is fresh', 5000, async () => (await ask(port, '/primary')).status === 200);
  });

  it('sendSignal SIGHUP keeps the process and loses no check', async () => {
    const before = await app();
    const checks = await startSteadyChecks({ ports: [port], routes: ['/primary'], perSecond: 200 });
    try {
      for (const ttl of [3, 2]) {
        await configure(ttl);
        await pm2('sendSignal', 'SIGHUP', before.name);
        const reloads = async (): Promise<number> => ((await log()).match(/ reloaded: /g) ?? []).length;
        await eventually('it is reloaded', 5000, async () => (await reloads()) === 4 - ttl);
      }
      const samples = await checks.end();
      assert.ok(samples.length > 0);
      assert.deepEqual(samples.filter((sample) => outcomeOf(sample) !== 200).slice(0, 3), []);
    } finally {
      await checks.close();
    }
    assert.equal((await app()).pid, before.pid);
  });

  it('starts it again after a crash', async () => {
    const before = await app();
    process.kill(before.pid, 'SIGKILL');
    await eventually('another process answers', 10_000, async () => {
      const { pid, pm2_env } = await app();
      return pid !== before.pid && pm2_env.status === 'online' && (await ask(port, '/primary')).status === 200;
    });
  });

  it('reloadLogs lets the log be rotated: later lines are in a new file', async () => {
    const { name, pm2_env } = await app();
    const path = pm2_env.pm_out_log_path;
    renameSync(path, `${path}.1`);
    await pm2('reloadLogs');
    await pm2('sendSignal', 'SIGHUP', name);
    await eventually('a line in the new file', 5000, () =>
      readFileSync(path, 'utf8').includes('reloaded: nothing has changed'),
    );
    assert.match(readFileSync(`${path}.1`, 'utf8'), /is listening on/);
  });

  it('stop lets the service end by itself', async () => {
    const { name, pid } = await app();
    const daemonLog = (): string => readFileSync(workspace.path('pm2/pm2.log'), 'utf8');
    const before = daemonLog().length;
    await pm2('stop', name);
    assert.equal((await app()).pm2_env.status, 'stopped');
    assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
    assert.equal((await ask(port, '/-/healthy')).kind, 'failure');
    assert.doesNotMatch(daemonLog().slice(before), /SIGKILL/, 'pm2 had not to kill it');
    assert.match((await log()).trimEnd().split('\n').at(-1) ?? '', /stop/);
  });
});
