import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { firstValueFrom, timeout } from 'rxjs';
import { createPostgresProbe } from '../../src/upstream/postgres.js';
import { createCertificates } from '../support/certificates.js';
import { freePort } from '../support/processes/ports.js';
import type { Running } from '../support/processes/processes.js';
import { findPrograms, skipReason } from '../support/processes/programs.js';
import { type Workspace, createWorkspace } from '../support/processes/workspace.js';
import { eventually } from '../support/time/wait.js';
import { readFileSync } from 'node:fs';

describe('A real PostgreSQL', { skip: await skipReason() }, () => {
  let workspace: Workspace;
  let port: number;
  const program = (name: string): string => join(findPrograms().postgresBin, name);
  before(async () => {
    workspace = await createWorkspace(findPrograms().owner);
    port = await freePort();
    await workspace.run('initdb', program('initdb'), ['-D', workspace.path('data'), '-A', 'trust', '--no-sync']);
    const files = await createCertificates(await workspace.mkdir('certificates'));
    await workspace.write('data/server.crt', readFileSync(files.server.cert, 'utf8'));
    await workspace.write('data/server.key', readFileSync(files.server.key, 'utf8'));
  });
  after(() => workspace.close());

  const ask = (deadlineMs = 5000) => {
    const asking = createPostgresProbe({ host: '127.0.0.1', port, connectMs: 2000 });
    return firstValueFrom(asking.pipe(timeout(deadlineMs)));
  };

  async function start(ssl: 'on' | 'off'): Promise<Running> {
    const settings = [`port=${port}`, 'listen_addresses=127.0.0.1', `unix_socket_directories=${workspace.dir}`];
    const args = ['-D', workspace.path('data'), ...[...settings, `ssl=${ssl}`].flatMap((setting) => ['-c', setting])];
    const running = await workspace.start('postgres', program('postgres'), args);
    await eventually('PostgreSQL is ready', 15_000, () => running.output().includes('ready to accept connections'));
    return running;
  }

  for (const ssl of ['off', 'on'] as const) {
    it(`says with ssl=${ssl} that it accepts connections, and writes no line about it`, async () => {
      const running = await start(ssl);
      try {
        const before = running.output();
        for (let times = 0; times < 5; times += 1) assert.deepEqual(await ask(), { state: 'accepts' });
        await workspace.run('psql', program('psql'), [
          '-h',
          '127.0.0.1',
          '-p',
          String(port),
          '-c',
          'select 1',
          'postgres',
        ]);
        assert.equal(running.output(), before);
      } finally {
        await running.stop(15_000, 'SIGINT');
      }
    });
  }

  it('says nothing while its postmaster is frozen, and refuses when it is dead', async () => {
    const running = await start('off');
    running.signal('SIGSTOP');
    await assert.rejects(ask(500), /Timeout/);
    running.signal('SIGCONT');
    assert.deepEqual(await ask(), { state: 'accepts' });
    await running.kill();
    assert.deepEqual(await ask(), { state: 'refuses', why: `connect ECONNREFUSED 127.0.0.1:${port}` });
  });
});
