import assert from 'node:assert/strict';
import { chmod } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { firstValueFrom } from 'rxjs';
import { assignmentsOf, sendToSystemd } from '../../src/systemd/send.js';
import { type Workspace, createWorkspace } from '../support/processes/workspace.js';

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
    before(async () => {
      workspace = await createWorkspace();
    });
    after(() => workspace.close());

    const program = async (name: string, body: string): Promise<string> => {
      const path = await workspace.write(name, `#!/bin/sh\n${body}\n`);
      await chmod(path, 0o755);
      return path;
    };

    it('that gets the socket and the lines', async () => {
      const notify = await program('notify', '[ "$NOTIFY_SOCKET" = /the/socket ] && [ "$*" = "READY=1 STATUS=a b" ]');
      const sent = await firstValueFrom(sendToSystemd('/the/socket', { state: 'ready', status: 'a b' }, notify));
      assert.deepEqual(sent, { kind: 'delivered' });
    });

    it('and one that fails, or is missing, is told', async () => {
      const failing = await program('failing', 'exit 3');
      const sent = await firstValueFrom(sendToSystemd('/x', { watchdog: true }, failing));
      assert.deepEqual(sent, { kind: 'failed', why: `${failing} ended with 3` });
      const missing = await firstValueFrom(sendToSystemd('/x', { watchdog: true }, workspace.path('missing')));
      assert.match(JSON.stringify(missing), /failed.*ENOENT/);
    });
  });
});
