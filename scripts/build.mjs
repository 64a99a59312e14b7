// Compiles into build/, unless what is there is up to date. `npm start` does so each time, also in a clone whose program runs
// by now: so a build is made beside the one that is there, and takes its place when it is whole.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, existsSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** All that a build depends on: the compiler's version is in the lock file. */
const INPUTS = ['package.json', 'package-lock.json', 'tsconfig.json', 'scripts', 'src', 'test', 'bench', 'demo'];

/** In a build: what it was made of. */
const FINGERPRINT = '.made-of';

const build = join(root, 'build');
const fingerprint = fingerprintOf(INPUTS);
if (!isUpToDate()) {
  removeLeftovers();
  const beside = join(root, `build-${process.pid}`);
  try {
    make(beside);
    takePlace(beside);
  } catch (error) {
    if (typeof error.status !== 'number') throw error; // the compiler has told what is wrong
    process.exitCode = error.status;
  } finally {
    rmSync(beside, { recursive: true, force: true });
  }
}

function isUpToDate() {
  const file = join(build, FINGERPRINT);
  return existsSync(file) && readFileSync(file, 'utf8') === fingerprint;
}

function make(dir) {
  const node = (args, stdout) =>
    execFileSync(process.execPath, args, { cwd: root, stdio: ['ignore', stdout, 'inherit'] });
  node([createRequire(import.meta.url).resolve('typescript/lib/tsc.js'), '--outDir', dir], 'inherit');
  cpSync(join(root, 'src/status/assets'), join(dir, 'src/status/assets'), { recursive: true });
  writeFileSync(join(dir, 'patroniglue.1'), node([join(dir, 'src/cli/manual.js')], 'pipe'));
  chmodSync(join(dir, 'src/main.js'), 0o755);
  writeFileSync(join(dir, FINGERPRINT), fingerprint); // last: a build that has it is whole
}

/** Two renames, since no directory can be renamed over another: a moment, in place of the half minute of a build. */
function takePlace(dir) {
  const former = `${dir}-former`;
  for (;;) {
    try {
      if (existsSync(build)) renameSync(build, former);
      renameSync(dir, build);
      break;
    } catch (error) {
      if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(error.code) || !existsSync(dir)) throw error;
      rmSync(former, { recursive: true, force: true }); // another build took its place in between: it is as good, and goes
    }
  }
  rmSync(former, { recursive: true, force: true });
}

/** Of builds that were killed. */
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

/** By what is in the files, and their names: a time of change says little after a checkout. */
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
    if (error.code === 'ENOENT') return []; // an image is built without some
    throw error;
  }
}
