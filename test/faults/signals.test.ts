import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { after, afterEach, before, describe, it } from 'node:test';
import { ask } from '../support/clients/http-get.js';
import { filesOf } from '../support/measuring/proc.js';
import { freePort } from '../support/processes/ports.js';
import { mainFile } from '../support/processes/main-file.js';
import { startService } from '../support/processes/service.js';
import { type Upstream, startUpstream } from '../support/upstreams/upstream.js';
import { eventually, within } from '../support/time/wait.js';
import { type Workspace, createWorkspace } from '../support/processes/workspace.js';

/** What log rotation sends, in the belief that a file will be opened again. */
const MEANINGLESS = ['SIGUSR1', 'SIGUSR2'] as const;

let upstream: Upstream;
before(async () => {
  upstream = await startUpstream();
});
after(() => upstream.close());

/** As `/proc/net/tcp` has it: the inodes of sockets that listen. */
function listeningInodes(): Map<string, number> {
  const lines = ['/proc/net/tcp', '/proc/net/tcp6']
    .filter(existsSync)
    .flatMap((file) => readFileSync(file, 'utf8').split('\n'));
  const listening = lines.map((line) => line.trim().split(/\s+/)).filter((fields) => fields[3] === '0A');
  return new Map(listening.map((fields) => [fields[9] ?? '', parseInt(fields[1]?.split(':')[1] ?? '', 16)]));
}

describe('SIGUSR1 and SIGUSR2', () => {
  for (const signal of MEANINGLESS) {
    it(`do nothing but a log line: ${signal}`, async () => {
      const service = await startService({ config: { backend: { host: '127.0.0.1', port: upstream.port } } });
      service.signal(signal);
      const line = new RegExp(`info: ${signal}: nothing to do: no log file is open`);
      await eventually('it is logged', 5000, () => line.test(service.output()));
      service.signal(signal);
      await eventually('and again', 5000, () => service.output().match(new RegExp(line, 'g'))?.length === 2);
      assert.equal((await service.get('/primary')).status, 200);
      assert.doesNotMatch(service.output(), /Debugger/);
      service.signal('SIGTERM');
      assert.equal((await within('it ends', 2000, service.exit)).code, 0);
      await service.close();
    });
  }

  it('leave no debugger open that Node opened before the service could listen to them', async () => {
    const workspace = await createWorkspace();
    const port = await freePort();
    const config = await workspace.write(
      'config.yml',
      JSON.stringify({ frontend: { host: '127.0.0.1', port }, backend: { host: '127.0.0.1', port: upstream.port } }),
    );
    // By a module that comes before the program, as early as any of our own code can
    const early = "process.kill(process.pid, 'SIGUSR1'); await new Promise((resolve) => setTimeout(resolve, 300));";
    const preload = await workspace.write('early.mjs', early);
    const service = await workspace.start('patroniglue', process.execPath, [
      '--import',
      preload,
      mainFile,
      '--config',
      config,
    ]);
    await eventually('it answers', 10_000, async () => (await ask(port, '/primary')).status === 200);
    await eventually('it is logged', 5000, () => service.output().includes('info: SIGUSR1: nothing to do'));
    assert.match(service.output(), /Debugger listening/, 'Node did open it');
    const listening = listeningInodes();
    const own = filesOf(service.pid).map((target) => listening.get(/socket:\[(\d+)\]/.exec(target)?.[1] ?? ''));
    assert.deepEqual(
      own.filter((one) => one !== undefined),
      [port],
    );
    await workspace.close();
  });
});

describe('an exception that nobody has caught', () => {
  let workspace: Workspace;
  let child: ChildProcess;
  afterEach(async () => {
    child.kill('SIGKILL');
    await workspace.close();
  });

  it('ends the service with 1 and its stack, and all log lines before it go out', async () => {
    workspace = await createWorkspace();
    const port = await freePort();
    const config = await workspace.write(
      'config.yml',
      JSON.stringify({
        frontend: { host: '127.0.0.1', port, logformat: `check ${'x'.repeat(3000)} %U.` },
        backend: { host: '127.0.0.1', port: upstream.port },
      }),
    );
    const preload = new URL('../support/processes/crash-preload.js', import.meta.url).href;
    const args = ['--import', preload, mainFile, '--config', config, '--verbose'];
    child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const [stdout, stderr] = [child.stdout, child.stderr];
    assert.ok(stdout && stderr);
    let error = '';
    stderr.setEncoding('utf8').on('data', (chunk: string) => (error += chunk));
    await eventually('it answers', 10_000, async () => (await ask(port, '/primary')).status === 200);
    const CHECKS = 200; // some 600 kB, more than a pipe holds
    for (let check = 0; check < CHECKS; check += 1) assert.equal((await ask(port, '/primary')).status, 200);
    assert.equal((await ask(port, '/replica')).status, 200);
    const ended = once(child, 'exit');
    child.kill('SIGWINCH');
    let text = '';
    stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    const [code] = (await within('it ends', 5000, ended)) as [number | null];
    assert.equal(code, 1);
    await eventually('its last line', 2000, () => text.endsWith(' /replica.\n'));
    assert.ok((text.match(/: check /g)?.length ?? 0) > CHECKS);
    assert.match(error, /^Error: a bug for a test\n +at .*crash-preload/);
  });
});
