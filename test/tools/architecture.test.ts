import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startProcess } from '../support/processes/processes.js';
import { type Workspace, createWorkspace } from '../support/processes/workspace.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** The most files directly under src/, and the most levels of imports. */
const MOST_LOOSE = 5;
const MOST_LEVELS = 11;

const files = readdirSync(join(root, 'src'), { recursive: true })
  .map((file) => posix.join('src', String(file)))
  .filter((file) => file.endsWith('.ts'));

function importsOf(file: string): readonly string[] {
  const text = readFileSync(join(root, file), 'utf8');
  return Array.from(text.matchAll(/(?: from |import\()'(\.[^']*)\.js'/g), ([, path = '']) =>
    posix.join(posix.dirname(file), `${path}.ts`),
  );
}

function longestChain(): readonly string[] {
  const known = new Map<string, readonly string[]>();
  const chainFrom = (file: string): readonly string[] => {
    const chain = known.get(file) ?? [
      file,
      ...importsOf(file)
        .map(chainFrom)
        .reduce((longest, other) => (other.length > longest.length ? other : longest), []),
    ];
    known.set(file, chain);
    return chain;
  };
  return files.map(chainFrom).reduce((longest, other) => (other.length > longest.length ? other : longest), []);
}

describe('a path that is built from the place of a file', () => {
  it('leads somewhere, in the tree or in the build', () => {
    const folders = ['src', 'test', 'bench', 'demo', 'scripts'];
    const sources = folders.flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true })
        .map((file) => posix.join(folder, String(file)))
        .filter((file) => file.endsWith('.ts')),
    );
    const paths = sources.flatMap((file) => {
      const text = readFileSync(join(root, file), 'utf8');
      return Array.from(text.matchAll(/new URL\('(\.[^']*)', import\.meta\.url\)/g), ([, path = '']) => ({
        file,
        path: posix.join('build', posix.dirname(file), path),
      }));
    });
    assert.ok(paths.length > 20, 'they are found');
    const missing = paths.filter(({ path }) => !existsSync(join(root, path)));
    assert.deepEqual(missing, []);
  });
});

describe('the rooms of src/', () => {
  it('leave few files loose, and few levels of imports', () => {
    const loose = files.filter((file) => posix.dirname(file) === 'src');
    assert.ok(loose.length <= MOST_LOOSE, loose.join(', '));
    const chain = longestChain();
    assert.ok(chain.length <= MOST_LEVELS, `${chain.length} levels: ${chain.join(' -> ')}`);
  });

  it('are all in docs/architecture.md, and no other', () => {
    const rooms = new Set(files.map((file) => file.split('/')[1] ?? '').filter((name) => !name.endsWith('.ts')));
    const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
    const told = Array.from(page.matchAll(/^\| `([a-z-]+)\/` /gm), ([, room = '']) => room);
    assert.deepEqual(told.sort(), [...rooms].sort());
  });

  describe('keep to who may import whom', () => {
    let workspace: Workspace;
    before(async () => {
      workspace = await createWorkspace();
    });
    after(() => workspace.close());

    /** What the linter's rule says of a tree with one file that imports another. */
    const lint = async (from: string, to: string): Promise<string> => {
      const plant = (file: string, text: string): void => {
        const path = workspace.path(file);
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, text);
      };
      const specifier = `./${posix.relative(posix.dirname(from), to)}`.replace(/\.ts$/, '.js');
      plant(to, 'export const planted = 1;\n');
      plant(from, `import { planted } from '${specifier}';\nexport const own = planted;\n`);
      plant('tsconfig.json', '{ "compilerOptions": { "module": "NodeNext" } }');
      const cruiser = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
      const args = [cruiser, '--config', join(root, '.dependency-cruiser.cjs'), 'src'];
      const running = await startProcess('depcruise', process.execPath, args, {
        env: { PATH: process.env['PATH'] ?? '' },
        cwd: workspace.dir,
      });
      const { code } = await running.exit;
      return code === 0 ? 'allowed' : running.output();
    };

    it('and a planted breach is found', async () => {
      assert.equal(await lint('src/http/planted.ts', 'src/patroni/planted.ts'), 'allowed');
      assert.match(await lint('src/breach.ts', 'src/streams/breached.ts'), /process-imports.*breach\.ts/);
      assert.match(await lint('src/unknown/breach.ts', 'src/patroni/breached.ts'), /no-other-room.*breach\.ts/);
      assert.match(await lint('src/patroni/breach.ts', 'src/http/breached.ts'), /patroni-imports.*breach\.ts/);
    });
  });
});
