import assert from 'node:assert/strict';
import { chmod, lstat, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { writeOutput } from '../../../src/cli/init/output.js';
import { UsageError } from '../../../src/errors.js';

describe('the file of --output', () => {
  let dir: string;
  let file: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'patroniglue-output-'));
    file = join(dir, 'config.yml');
  });
  afterEach(async () => {
    await rm(dir, { recursive: true });
  });
  const text = (name: string): Promise<string> => readFile(join(dir, name), 'utf8');

  it('is made, and the service can read it whatever the umask is', async () => {
    const umask = process.umask(0o077);
    try {
      assert.deepEqual(await writeOutput(file, 'new\n'), { kind: 'written' });
    } finally {
      process.umask(umask);
    }
    assert.equal(await text('config.yml'), 'new\n');
    assert.equal((await stat(file)).mode & 0o777, 0o644);
    assert.deepEqual(await readdir(dir), ['config.yml'], 'nothing else is left there');
  });

  it('is replaced and keeps its mode; the file of before is kept, and so are those before it', async () => {
    await writeFile(file, 'first\n');
    await chmod(file, 0o640);
    const { ino } = await stat(file);
    assert.deepEqual(await writeOutput(file, 'second\n'), { kind: 'written', backup: `${file}.bak` });
    assert.deepEqual(await writeOutput(file, 'third\n'), { kind: 'written', backup: `${file}.bak2` });
    assert.deepEqual([await text('config.yml.bak'), await text('config.yml.bak2')], ['first\n', 'second\n']);
    assert.equal(await text('config.yml'), 'third\n');
    assert.equal((await stat(file)).mode & 0o777, 0o640);
    assert.notEqual((await stat(file)).ino, ino, 'a reader of the old file reads it to the end');
  });

  it('is not touched if it has this text already', async () => {
    await writeFile(file, 'same\n');
    const { ino } = await stat(file);
    assert.deepEqual(await writeOutput(file, 'same\n'), { kind: 'unchanged' });
    assert.equal((await stat(file)).ino, ino);
    assert.deepEqual(await readdir(dir), ['config.yml']);
  });

  it('is the file to which a link points', async () => {
    await mkdir(join(dir, 'store'));
    await writeFile(join(dir, 'store/real.yml'), 'first\n');
    await symlink('store/real.yml', file);
    await writeOutput(file, 'second\n');
    assert.ok((await lstat(file)).isSymbolicLink());
    assert.equal(await text('store/real.yml'), 'second\n');
  });

  it('stays as it was if it cannot be replaced', async () => {
    await writeFile(file, 'first\n');
    await mkdir(`${file}.${process.pid}.new`); // in the place of the file that is written beside
    await assert.rejects(writeOutput(file, 'second\n'), new UsageError(`--output: cannot write ${file}: EEXIST`));
    assert.equal(await text('config.yml'), 'first\n');
    assert.ok(!(await readdir(dir)).includes('config.yml.bak'));
  });

  it('cannot be a folder, nor be in a folder that is not there', async () => {
    await assert.rejects(writeOutput(dir, 'x'), new UsageError(`--output: ${dir} is not a file`));
    const nowhere = join(dir, 'no/config.yml');
    await assert.rejects(writeOutput(nowhere, 'x'), new UsageError(`--output: cannot write ${nowhere}: no such file`));
  });
});
