import assert from 'node:assert/strict';
import { readFileSync, renameSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { outcomeOf, startSteadyChecks } from '../support/clients/checks.js';
import { ask } from '../support/clients/http-get.js';
import { nowMs } from '../support/time/monotonic.js';
import { freePort } from '../support/processes/ports.js';
import { mainFile } from '../support/processes/main-file.js';
import { eventually } from '../support/time/wait.js';
import { createWorkspace, type Workspace } from '../support/processes/workspace.js';

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
       module.exports = { apps: [{ ...app, script: ${JSON.stringify(mainFile)}, args: ['--config', ${JSON.stringify(config)}, '--verbose'] }] };`,
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

  it('reload under load leaves a new process that answers', async () => {
    const before = await app();
    const checks = await startSteadyChecks({ ports: [port], routes: ['/primary'], perSecond: 50 });
    try {
      await pm2('reload', ecosystem);
      await eventually('/primary is fresh', 5000, async () => (await ask(port, '/primary')).status === 200);
      const freshMs = nowMs();
      await delay(300); // some more checks
      const samples = await checks.end();
      // In between it may refuse them, or say 503 until its first answer; but nothing else, and not for good.
      const statuses = new Set(samples.map(({ status }) => status));
      assert.deepEqual(
        [...statuses].filter((status) => ![0, 200, 503].includes(status)),
        [],
      );
      const later = samples.filter(({ sentMs }) => sentMs > freshMs);
      assert.ok(later.length > 0);
      assert.deepEqual(later.filter((sample) => outcomeOf(sample) !== 200).slice(0, 3), []);
    } finally {
      await checks.close();
    }
    const now = await app();
    assert.notEqual(now.pid, before.pid);
    assert.equal(now.pm2_env.status, 'online');
  });

  it('sendSignal SIGHUP keeps the process and loses no check', async () => {
    const before = await app();
    const checks = await startSteadyChecks({ ports: [port], routes: ['/primary'], perSecond: 200 });
    try {
      for (const ttl of [3, 2]) {
        await configure(ttl);
        await pm2('sendSignal', 'SIGHUP', before.name);
        const reloads = async (): Promise<number> => ((await log()).match(/ reloaded; /g) ?? []).length;
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

  // pm2 drops what it is writing at the very moment of reloadLogs, so nothing is written just then.
  it('reloadLogs lets the log be rotated: no line is lost from the move on, and later ones are in a new file', async () => {
    const path = (await app()).pm2_env.pm_out_log_path;
    const rotated = `${path}.1`;
    const numbers = (file: string): number[] =>
      Array.from(readFileSync(file, 'utf8').matchAll(/\/primary\?line=(\d+)/g), ([, line]) => Number(line));
    /** Asks, which makes a line of the log for each, and waits for the last one. */
    const writeLines = async (lines: readonly number[], file: string): Promise<void> => {
      for (const line of lines) await ask(port, `/primary?line=${line}`);
      await eventually(`the lines are in ${file}`, 5000, () => numbers(file).at(-1) === lines.at(-1));
    };
    await writeLines([0, 1, 2], path);
    renameSync(path, rotated);
    await writeLines([3, 4, 5], rotated);
    await pm2('reloadLogs');
    await writeLines([6, 7, 8], path);
    assert.deepEqual(numbers(rotated), [0, 1, 2, 3, 4, 5]);
    assert.deepEqual(numbers(path), [6, 7, 8]);
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
