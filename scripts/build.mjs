// Compiles into build/, unless build/ is up to date. `npm start` runs this each time, also while a program of the same clone is
// running. So the new build is made in a directory of its own, and replaces the old one only when it is complete.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, existsSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeBundle } from './bundle.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Everything that a build depends on. The compiler's version is in the lock file. */
const INPUTS = ['package.json', 'package-lock.json', 'tsconfig.json', 'scripts', 'src', 'test', 'bench', 'demo'];

/** This file of a build has the fingerprint of its inputs. */
const FINGERPRINT = '.made-of';

const build = join(root, 'build');
const fingerprint = fingerprintOf(INPUTS);
if (!isUpToDate()) {
  removeLeftovers();
  const beside = join(root, `build-${process.pid}`);
  try {
    await compileInto(beside);
    replaceBuild(beside);
  } catch (error) {
    if (typeof error.status !== 'number') throw error; // otherwise the compiler has printed the errors
    process.exitCode = error.status;
  } finally {
    rmSync(beside, { recursive: true, force: true });
  }
}

function isUpToDate() {
  const file = join(build, FINGERPRINT);
  return existsSync(file) && readFileSync(file, 'utf8') === fingerprint;
}

async function compileInto(dir) {
  const node = (args, stdout) =>
    execFileSync(process.execPath, args, { cwd: root, stdio: ['ignore', stdout, 'inherit'] });
  node([createRequire(import.meta.url).resolve('typescript/lib/tsc.js'), '--outDir', dir], 'inherit');
  cpSync(join(root, 'src/status/assets'), join(dir, 'src/status/assets'), { recursive: true });
  writeFileSync(join(dir, 'patroniglue.8'), node([join(dir, 'src/cli/manual.js')], 'pipe'));
  chmodSync(join(dir, 'src/main.js'), 0o755);
  await makeBundle(dir);
  writeFileSync(join(dir, FINGERPRINT), fingerprint); // last: a build with this file is complete
}

/** Two renames, because no directory can be renamed over another. build/ is missing for a moment, and not for half a minute. */
function replaceBuild(dir) {
  const former = `${dir}-former`;
  for (;;) {
    try {
      if (existsSync(build)) renameSync(build, former);
      renameSync(dir, build);
      break;
    } catch (error) {
      if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(error.code) || !existsSync(dir)) throw error;
      rmSync(former, { recursive: true, force: true }); // another build got there first: replace it, too
    }
  }
  rmSync(former, { recursive: true, force: true });
}

/** Removes what killed builds have left. */
function removeLeftovers() {
  for (const name of readdirSync(root)) {
    const [, pid] = /^build-(\d+)(?:-former)?$/.exec(name) ?? [];
    if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(root, name), { recursive: true, force: true });
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Hashes names and contents of the files. After a checkout, their modification times mean nothing. */
function fingerprintOf(inputs) {
  const hash = createHash('sha256');
  const files = inputs.flatMap((input) => filesOf(join(root, input))).sort();
  for (const file of files)
    hash
      .update(`${relative(root, file)}\0`)
      .update(readFileSync(file))
      .update('\0');
  return hash.digest('hex');
}

function filesOf(path) {
  try {
    return readdirSync(path, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? filesOf(join(path, entry.name)) : [join(path, entry.name)],
    );
  } catch (error) {
    if (error.code === 'ENOTDIR') return [path];
    if (error.code === 'ENOENT') return []; // the build of an image has only some of the inputs
    throw error;
  }
}
