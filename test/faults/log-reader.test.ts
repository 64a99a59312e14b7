import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { afterEach, describe, it } from 'node:test';
import { ask } from '../support/http-get.js';
import { freePort } from '../support/ports.js';
import { mainFile } from '../support/service.js';
import { type Upstream, startUpstream } from '../support/upstream.js';
import { eventually, within } from '../support/wait.js';
import { type Workspace, createWorkspace } from '../support/workspace.js';

describe('a log reader that stops', () => {
  let workspace: Workspace;
  let upstream: Upstream;
  let child: ChildProcess;
  afterEach(async () => {
    child.kill('SIGKILL');
    await upstream.close();
    await workspace.close();
  });

  async function start(stdout: 'pipe' | number): Promise<number> {
    upstream = await startUpstream();
    workspace = await createWorkspace();
    const port = await freePort();
    // a long line a request, so that the pipe and the buffer behind it are soon full
    const config = {
      frontend: { host: '127.0.0.1', port, logformat: `%a ${'x'.repeat(4000)} %U` },
      backend: { host: '127.0.0.1', port: upstream.port },
      cache: { ttl: 1, interval: 0.1 },
    };
    const file = await workspace.write('config.yml', JSON.stringify(config));
    child = spawn(process.execPath, [mainFile, '--config', file, '--debug'], { stdio: ['ignore', stdout, 'inherit'] });
    await eventually('/primary is 200', 5000, async () => (await ask(port, '/primary')).status === 200);
    return port;
  }

  /** More log than pipe and buffer hold, in checks that must all be answered. */
  async function checkOften(port: number): Promise<void> {
    for (let round = 0; round < 40; round += 1) {
      const replies = await Promise.all(Array.from({ length: 20 }, () => ask(port, '/primary')));
      for (const { status } of replies) assert.equal(status, 200);
    }
  }

  async function terminate(): Promise<void> {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    assert.deepEqual(await within('ended after SIGTERM', 2000, ended), [0, null]);
  }

  it('delays no reply and no exit: lines are dropped, counted, and the count is logged when it is back', async () => {
    const port = await start('pipe');
    await checkOften(port);
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await eventually('the count is logged', 5000, () => /warn: [1-9]\d* log lines were dropped/.test(text));
  });

  it('does not hold up the end', async () => {
    const port = await start('pipe');
    await checkOften(port);
    await terminate();
  });

  it('may close its end', async () => {
    const port = await start('pipe');
    child.stdout?.destroy();
    await checkOften(port);
    await terminate();
  });

  it('may be a full disk', async () => {
    const port = await start(openSync('/dev/full', 'w'));
    await checkOften(port);
    await terminate();
  });
});
