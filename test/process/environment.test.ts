import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, it } from 'node:test';
import { ask } from '../support/clients/http-get.js';
import { mainFile } from '../support/processes/main-file.js';
import { freePort } from '../support/processes/ports.js';
import { createWorkspace } from '../support/processes/workspace.js';
import { answering, startUpstream } from '../support/upstreams/upstream.js';
import { eventually } from '../support/time/wait.js';

const isInstalled = existsSync('/etc/patroniglue/config.yml') && 'this machine has a configuration';

describe('the service without a configuration file', { skip: isInstalled }, () => {
  it('runs, checks and is notified with the variables of its environment alone', async () => {
    const [workspace, upstream, port] = [await createWorkspace(), await startUpstream(), await freePort()];
    upstream.behave(answering(200));
    const env = {
      PATRONIGLUE_FRONTEND_HOST: '127.0.0.1',
      PATRONIGLUE_FRONTEND_PORT: String(port),
      PATRONIGLUE_BACKEND_HOST: '127.0.0.1',
      PATRONIGLUE_BACKEND_PORT: String(upstream.port),
      PATRONIGLUE_BACKEND_ROUTES: '/primary,/replica?lag=1MB',
    };
    try {
      const checked = await workspace.run('--check', process.execPath, [mainFile, '--check'], env);
      assert.match(checked, /^note: PATRONIGLUE_FRONTEND_HOST is in force, whatever a file says$/m);
      assert.match(checked, /^configuration ok: environment$/m);
      const service = await workspace.start('patroniglue', process.execPath, [mainFile], env);
      await eventually('ready', 10_000, async () => (await ask(port, '/-/ready')).status === 200);
      assert.match(service.output(), /for \/primary, \/replica\?lag=1MB /);
      service.signal('SIGHUP');
      await eventually('reloaded', 5000, () => service.output().includes('reloaded; nothing has changed'));
      assert.equal((await ask(port, '/primary')).status, 200);
      await workspace.run('--notify', process.execPath, [mainFile, '--notify'], env);
      await assert.rejects(
        workspace.run('--check', process.execPath, [mainFile, '--check'], { ...env, PATRONIGLUE_CACHE_TLT: '3' }),
        /ended with 2.*PATRONIGLUE_CACHE_TLT: unknown variable: did you mean PATRONIGLUE_CACHE_TTL\?/s,
      );
      await assert.rejects(
        workspace.run('--check', process.execPath, [mainFile, '--check'], {}),
        /ended with 2.*no configuration: /s,
      );
    } finally {
      await workspace.close();
      await upstream.close();
    }
  });
});
