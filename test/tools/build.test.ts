import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { copyFile, mkdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from '../support/processes/processes.js';
import { eventually } from '../support/time/wait.js';
import { type Workspace, createWorkspace } from '../support/processes/workspace.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** As few declarations as the compiler can do with: it is not what is tested. */
const compilerOptions = {
  module: 'NodeNext',
  target: 'ES2022',
  lib: ['ES5'],
  types: [],
  rootDir: '.',
  skipLibCheck: true,
};

/** Of a program as small as can be, in a tree of its own: what is tested runs from build/ itself. */
describe('scripts/build.mjs', () => {
  let workspace: Workspace;
  before(async () => {
    workspace = await createWorkspace();
    await workspace.mkdir('scripts');
    for (const file of ['scripts/build.mjs', 'scripts/bundle.mjs'])
      await copyFile(join(root, file), workspace.path(file));
    await write('package.json', '{ "type": "module" }');
    await write('tsconfig.json', JSON.stringify({ compilerOptions, include: ['src'] }));
    await symlink(join(root, 'node_modules'), workspace.path('node_modules'));
    await write('src/main.ts', "export const said: string = 'first';\n");
    await write('src/other.ts', 'export {};\n');
    await write('src/cli/manual.ts', "declare const process: any; process.stdout.write('the manual');\n");
    await write('src/status/assets/status.css', '');
    await build();
  });
  after(() => workspace.close());

  const write = async (file: string, text: string): Promise<void> => {
    await mkdir(dirname(workspace.path(file)), { recursive: true });
    await writeFile(workspace.path(file), text);
  };
  const build = (): Promise<string> =>
    run('the build', process.execPath, ['scripts/build.mjs'], { env: {}, cwd: workspace.dir, deadlineMs: 60_000 });
  const built = (file: string): string => readFileSync(workspace.path(join('build', file)), 'utf8');
  const age = async (): Promise<number> => (await stat(workspace.path('build/src/main.js'))).ino;

  it('makes what is shipped', () => {
    assert.match(built('src/main.js'), /'first'/);
    assert.equal(built('patroniglue.8'), 'the manual');
    assert.match(built('bundle/patroniglue.cjs'), /first/);
    assert.ok(existsSync(workspace.path('build/src/status/assets/status.css')));
  });

  it('does nothing where all is up to date', async () => {
    const before = await age();
    await write('src/main.ts', "export const said: string = 'first';\n"); // touched, and the same
    await build();
    assert.equal(await age(), before);
  });

  it('leaves the former build where it is until the new one is whole', async () => {
    await write('src/main.ts', "export const said: string = 'second';\n");
    await rm(workspace.path('src/other.ts'));
    const child = spawn(process.execPath, ['scripts/build.mjs'], { cwd: workspace.dir, stdio: 'ignore' });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    await eventually(
      'it is built beside',
      20_000,
      () => readdirSync(workspace.dir).some((name) => /^build-\d+$/.test(name)),
      1,
    );
    child.kill('SIGSTOP');
    assert.match(built('src/main.js'), /'first'/);
    child.kill('SIGCONT');
    assert.equal(await ended, 0);
    assert.match(built('src/main.js'), /'second'/);
    assert.ok(!existsSync(workspace.path('build/src/other.js')), 'nothing is kept of a source that is gone');
  });

  it('leaves it for good where the new one cannot be made', async () => {
    await write('src/main.ts', "export const said: number = 'third';\n");
    await assert.rejects(build(), /TS2322/);
    assert.match(built('src/main.js'), /'second'/);
    assert.deepEqual(
      readdirSync(workspace.dir).filter((name) => name.startsWith('build')),
      ['build'],
    );
  });
});
