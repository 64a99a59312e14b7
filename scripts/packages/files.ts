import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Entry } from './types.js';

/** Compiled, this file is in build/scripts/packages. */
const root = fileURLToPath(new URL('../../../', import.meta.url));

/** A path in the repository. */
export const inRoot = (path: string): string => join(root, path);

/** A file of the repository. */
export const read = (path: string): string => readFileSync(inRoot(path), 'utf8');

/** Writes the entries below `dir`, with their modes. */
export function writeTree(dir: string, entries: readonly Entry[]): void {
  for (const { path, content, mode = 0o644 } of entries) {
    const file = join(dir, path);
    mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
    writeFileSync(file, content);
    chmodSync(file, mode);
  }
}

/** Calls `body` with an empty directory, and removes it. */
export function inTemporaryDirectory<T>(body: (dir: string) => T): T {
  const dir = mkdtempSync(join(tmpdir(), 'pglue-packages-'));
  chmodSync(dir, 0o755);
  try {
    return body(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Of the builder's environment, the tools get only this: not TAR_OPTIONS or NODE_OPTIONS. */
const toolEnvironment = { PATH: process.env['PATH'] ?? '', LC_ALL: 'C.UTF-8', TZ: 'UTC' };

/**
 * Runs a tool whose output goes into a package, in the repository or in `cwd`. Throws with its output if it fails. Its home is
 * an empty directory: there is no ~/.rpmmacros or ~/.npmrc in it, and rpmbuild leaves its database there.
 */
export function execute(
  command: string,
  args: readonly string[],
  { env = {}, cwd = root }: { readonly env?: Readonly<Record<string, string>>; readonly cwd?: string } = {},
): string {
  return inTemporaryDirectory((home) => executeIn(cwd, { ...toolEnvironment, HOME: home, ...env }, command, args));
}

/** Runs a program with the settings of the builder, as those for npm's registry. Throws with its output if it fails. */
export function executeAsBuilder(command: string, args: readonly string[]): string {
  return executeIn(root, process.env, command, args);
}

function executeIn(cwd: string, env: NodeJS.ProcessEnv, command: string, args: readonly string[]): string {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], cwd, env });
  } catch (error) {
    const { stdout = '', stderr = '', message } = error as Error & { stdout?: string; stderr?: string };
    throw new Error(`${message}\n${stdout}${stderr}`, { cause: error });
  }
}
