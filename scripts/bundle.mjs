// Puts the compiled program and all packages that it needs into one file, build/bundle/patroniglue.cjs, which runs without a
// node_modules. It is CommonJS, because the main script of a single executable application must be. The same sources give the
// same bytes, in any directory. Beside it: the licences of the packages, and a source map, for `node --enable-source-maps`.
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { URL, fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Makes the bundle of a build. `dir` holds what the compiler has made, and the assets. Throws if anything would be missing. */
export async function makeBundle(dir) {
  const { outputFiles, metafile } = await build({
    entryPoints: [join(dir, 'src/main.js')],
    absWorkingDir: dir,
    outdir: 'bundle',
    entryNames: 'patroniglue',
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20.11',
    alias: { rxjs: join(root, 'node_modules/rxjs/dist/esm/index.js') }, // of CommonJS, esbuild leaves out nothing unused
    minify: true, // Node keeps the text in memory: 7 MB less than without
    sourcemap: 'linked',
    sourcesContent: false,
    tsconfigRaw: { compilerOptions: { alwaysStrict: true } }, // as modules are; and no other tsconfig.json is looked for
    supported: { 'dynamic-import': false }, // a single executable application has only `require`
    logOverride: { 'empty-import-meta': 'error' }, // a file would be looked for beside the bundle
    plugins: [filesAsText, absentPackages, unusedModules],
    metafile: true,
    write: false,
  });
  mkdirSync(join(dir, 'bundle'), { recursive: true });
  for (const { path, contents } of outputFiles) writeFileSync(path, contents);
  chmodSync(join(dir, 'bundle/patroniglue.cjs'), 0o755);
  writeFileSync(join(dir, 'bundle/THIRD-PARTY-LICENSES.txt'), licences(packagesOf(dir, metafile)));
}

/** Replaces `readFileSync(new URL('FILE', import.meta.url), 'utf8')` by the text of the file. */
const filesAsText = {
  name: 'files-as-text',
  setup({ initialOptions, onLoad }) {
    onLoad({ filter: /\.js$/ }, ({ path }) => {
      if (!path.startsWith(join(initialOptions.absWorkingDir, 'src/'))) return undefined;
      const code = readFileSync(path, 'utf8');
      const read = /readFileSync\(new URL\('([^']+)', import\.meta\.url\), 'utf8'\)/g;
      const text = (_, file) => JSON.stringify(readFileSync(new URL(file, pathToFileURL(path)), 'utf8'));
      return { contents: code.replace(read, text) };
    });
  },
};

/**
 * Packages that another one uses if they are installed. They are no dependency of the program, and so never in the bundle,
 * whatever is installed here for the tests.
 */
const absentPackages = {
  name: 'absent-packages',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^supports-color$/ }, ({ path }) => ({ path, namespace: 'absent' }));
    onLoad({ filter: /.*/, namespace: 'absent' }, () => ({ contents: "throw new Error('not installed');" }));
  },
};

/**
 * What axios loads at its start and patroniglue never uses: forms, with a database of all media types, and HTTP/2. Without
 * them, the start takes a seventh less CPU time. axios only keeps a reference to them; a use of one fails.
 */
const unusedModules = {
  name: 'unused-modules',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(form-data|http2)$/ }, ({ path }) => ({ path, namespace: 'unused' }));
    onLoad({ filter: /.*/, namespace: 'unused' }, () => ({ contents: 'module.exports = class {};' }));
  },
};

/** The directories of the packages of which the bundle has a file. */
function packagesOf(dir, { inputs }) {
  const packages = new Set();
  for (const input of Object.keys(inputs)) {
    if (!input.includes('node_modules/')) continue;
    let at = dirname(resolve(dir, input));
    while (!isPackage(at)) at = dirname(at);
    packages.add(at);
  }
  return [...packages];
}

/** Some packages have further package.json files inside that name no package. */
function isPackage(dir) {
  const file = join(dir, 'package.json');
  return existsSync(file) && JSON.parse(readFileSync(file, 'utf8')).name !== undefined;
}

/** Each package with the licence that it came with. */
function licences(packages) {
  const parts = packages.map((dir) => {
    const { name, version, license } = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'));
    return `${name} ${version} (${license})\n\n${licenceOf(dir)}\n`;
  });
  return ['patroniglue.cjs contains the following packages.\n', ...parts.sort()].join(`\n${'-'.repeat(80)}\n\n`);
}

/** The text of a package's licence, which stands in a file of its own or at the end of the README. Throws if there is none. */
function licenceOf(dir) {
  const read = (file) => readFileSync(join(dir, file), 'utf8').trim();
  const files = readdirSync(dir).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file));
  if (files.length > 0) return files.sort().map(read).join('\n\n');
  const [, text] = /^(?:#+ *)?licen[cs]e\n(?:-+\n)?(.+)/ims.exec(read('README.md')) ?? [];
  if (text === undefined) throw new Error(`${relative(root, dir)} does not hold its licence`);
  return text.trim();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await makeBundle(join(root, 'build'));
