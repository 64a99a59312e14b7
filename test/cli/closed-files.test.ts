import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Looker, closedFiles } from '../../src/cli/closed-files.js';

describe('files that root can read and the service cannot', () => {
  let dir: string;
  before(async () => {
    dir = await mkdtemp('/var/tmp/patroniglue-closed-');
    await chmod(dir, 0o755);
    for (const [name, mode] of [
      ['ca.pem', 0o644],
      ['own.key', 0o600],
    ] as const) {
      await writeFile(join(dir, name), '');
      await chmod(join(dir, name), mode);
    }
  });
  after(async () => {
    await rm(dir, { recursive: true });
  });

  const closed = (file: string | undefined, looker: Partial<Looker> = {}): Promise<readonly string[]> => {
    const names = [join(dir, 'ca.pem'), join(dir, 'own.key'), '/run/credentials/patroniglue.service/x'];
    const files = new Map(names.map((name) => [name, { kind: 'read', text: '' } as const]));
    return closedFiles({ file, files }, { isRoot: true, hasSystemd: true, ...looker });
  };

  it('are named with what helps', async () => {
    const [line = '', ...others] = await closed('/etc/patroniglue/absent.yml');
    assert.ok(line.startsWith(`root can read ${join(dir, 'own.key')}, the service's own user cannot`), line);
    assert.match(line, /LoadCredential=/);
    assert.deepEqual(others, []);
  });

  it('matter only where a unit runs patroniglue, and to root', async () => {
    assert.deepEqual(await closed('/etc/patroniglue/absent.yml', { isRoot: false }), []);
    assert.deepEqual(await closed('/etc/patroniglue/absent.yml', { hasSystemd: false }), []);
    assert.deepEqual(await closed('/home/me/config.yml'), []);
    assert.deepEqual(await closed(undefined), []);
  });
});
