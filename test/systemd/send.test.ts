import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod, readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { firstValueFrom } from 'rxjs';
import { type Sent, assignmentsOf, createSender } from '../../src/systemd/send.js';
import type { Message } from '../../src/systemd/types.js';
import { type Workspace, createWorkspace } from '../support/processes/workspace.js';

const withoutPrlimit = spawnSync('prlimit', ['--version']).status !== 0 && 'no prlimit here (util-linux)';

/** Sends twice while all files are taken, at the start and later, and once when they are free again. */
const NO_FILES = `
import { closeSync, openSync } from 'node:fs';
const { createSender } = await import(process.argv[2]);
setInterval(() => undefined, 1000); // the shell does not keep the process alive
const taken = [];
try { for (;;) taken.push(openSync('/dev/null')); } catch {}
const send = createSender('/the/socket', 'true');
const told = () => new Promise((resolve) => send({ watchdog: true }).subscribe(resolve));
const said = [await told(), await told()];
for (const file of taken) closeSync(file);
said.push(await told());
process.stdout.write(said.map(({ kind, why }) => (why ? kind + ': ' + why : kind) + '\\n').join(''));
process.exit();
`;

describe('a message for systemd', () => {
  it('has the lines of sd_notify(3)', () => {
    assert.deepEqual(assignmentsOf({ state: 'ready', status: '200 for /primary' }), [
      'READY=1',
      'STATUS=200 for /primary',
    ]);
    assert.deepEqual(assignmentsOf({ state: { reloadingSinceUs: 12.6 }, watchdog: true }), [
      'RELOADING=1',
      'MONOTONIC_USEC=13',
      'WATCHDOG=1',
    ]);
    assert.deepEqual(assignmentsOf({ state: 'stopping' }), ['STOPPING=1']);
  });

  describe('is sent by a program', () => {
    let workspace: Workspace;
    let alive: NodeJS.Timeout; // the service has much else that keeps it running
    before(async () => {
      workspace = await createWorkspace();
      alive = setInterval(() => undefined, 1000);
    });
    after(() => {
      clearInterval(alive);
      return workspace.close();
    });

    const program = async (name: string, body: string): Promise<string> => {
      const path = await workspace.write(name, `#!/bin/sh\n${body}\n`);
      await chmod(path, 0o755);
      return path;
    };

    const told = (notify: string, message: Message): Promise<Sent> =>
      firstValueFrom(createSender('/the/socket', notify)(message));

    it('that gets the socket and the lines', async () => {
      const notify = await program(
        'notify',
        '[ "$NOTIFY_SOCKET" = /the/socket ] && [ "$1" = READY=1 ] && [ "$2" = "STATUS=a * b c" ]',
      );
      assert.deepEqual(await told(notify, { state: 'ready', status: 'a * b\tc' }), { kind: 'delivered' });
    });

    it('and one that fails, or is missing, is told', async () => {
      const failing = await program('failing', 'exit 3');
      assert.deepEqual(await told(failing, { watchdog: true }), { kind: 'failed', why: `${failing} ended with 3` });
      const missing = workspace.path('missing');
      assert.deepEqual(await told(missing, { watchdog: true }), { kind: 'failed', why: `${missing} not found` });
    });

    it('in the order in which they were sent, by one shell that outlives SIGTERM', async () => {
      const said = workspace.path('said');
      const notify = await program(
        'order',
        `echo "$PPID $1" >> ${said}; [ $# = 2 ] && kill -TERM $(cut -d" " -f4 /proc/$PPID/stat); [ $# -lt 3 ]`,
      );
      const send = createSender('/the/socket', notify);
      const sent = await Promise.all(
        ([{ state: 'ready' }, { state: 'ready', watchdog: true }, { state: 'stopping' }] as const).map((message) =>
          firstValueFrom(send(message)),
        ),
      );
      assert.deepEqual(new Set(sent.map(({ kind }) => kind)), new Set(['delivered']));
      const lines = (await readFile(said, 'utf8')).trim().split('\n');
      assert.deepEqual(
        lines.map((line) => line.split(' ')[1]),
        ['READY=1', 'READY=1', 'STOPPING=1'],
      );
    });

    it('by another shell if the first has ended', async () => {
      const notify = await program('ending', '[ "$1" = READY=1 ] || kill -KILL $(cut -d" " -f4 /proc/$PPID/stat)');
      const send = createSender('/the/socket', notify);
      assert.equal((await firstValueFrom(send({ state: 'stopping' }))).kind, 'failed');
      assert.equal((await firstValueFrom(send({ state: 'ready' }))).kind, 'delivered');
    });

    it('by another shell if the first hangs', async () => {
      const notify = await program('hanging', '[ "$1" = READY=1 ] || kill -STOP $(cut -d" " -f4 /proc/$PPID/stat)');
      const send = createSender('/the/socket', notify, 2000);
      const why = `the shell that runs ${notify} hangs`;
      assert.deepEqual(await firstValueFrom(send({ state: 'stopping' })), { kind: 'failed', why });
      assert.equal((await firstValueFrom(send({ state: 'ready' }))).kind, 'delivered');
    });

    it('and fails while no shell can be started, because no file is free', { skip: withoutPrlimit }, async () => {
      const script = await workspace.write('no-files.mjs', NO_FILES);
      const sender = fileURLToPath(new URL('../../src/systemd/send.js', import.meta.url));
      const args = ['--nofile=64:64', process.execPath, script, sender];
      const told = await workspace.run('a sender without files', 'prlimit', args);
      assert.match(told, /^failed: no free file.*\nfailed: no free file.*\ndelivered\n$/);
    });
  });
});
