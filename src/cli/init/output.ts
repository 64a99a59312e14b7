import { chmod, chown, link, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileReason } from '../../config/tls.js';
import { UsageError } from '../../errors.js';
import { readText } from '../text-file.js';

/** What became of a file. `backup` is where the file of before is now; absent if there was none. */
export type Written = { readonly kind: 'unchanged' } | { readonly kind: 'written'; readonly backup?: string };

/** Mode of a new file. It has no secret, and the service, which runs as a user of its own, must be able to read it. */
const NEW_MODE = 0o644;

/**
 * Puts a text in place of a file, or makes the file. At any time a reader finds the whole old text or the whole new one. Mode
 * and owner stay. A file with another text is kept beside it: as `FILE.bak`, or `FILE.bak2` and so on if that is there.
 *
 * @throws UsageError if the text cannot be written. The file is then as before.
 */
export async function writeOutput(file: string, text: string): Promise<Written> {
  try {
    return await replace(file, text);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`--output: cannot write ${file}: ${fileReason(error)}`);
  }
}

async function replace(file: string, text: string): Promise<Written> {
  const target = await realpath(file).catch(unlessAbsent); // of a link, the file to which it points is replaced
  if (target === undefined) {
    await writeBeside(file, text, { mode: NEW_MODE });
    return { kind: 'written' };
  }
  const former = await stat(target);
  if (!former.isFile()) throw new UsageError(`--output: ${file} is not a file`);
  if ((await readText(target).catch(() => undefined)) === text) return { kind: 'unchanged' };
  const backup = await keep(target);
  try {
    await writeBeside(target, text, former);
  } catch (error) {
    await rm(backup);
    throw error;
  }
  return { kind: 'written', backup };
}

/** Writes a new file in the same folder, then renames it: `file` is never half written, even if the machine stops. */
async function writeBeside(
  file: string,
  text: string,
  like: { readonly mode: number; readonly uid?: number; readonly gid?: number },
): Promise<void> {
  const beside = `${file}.${process.pid}.new`;
  const handle = await open(beside, 'wx', 0o600); // fails if somebody else's file is there
  try {
    try {
      await handle.writeFile(text);
      if (like.uid !== undefined && like.gid !== undefined) await chown(beside, like.uid, like.gid);
      await chmod(beside, like.mode & 0o7777);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(beside, file);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
  await syncFolder(dirname(file));
}

/** Gives a file a second name. */
async function keep(file: string): Promise<string> {
  for (let number = 1; ; number += 1) {
    const name = `${file}.bak${number === 1 ? '' : number}`;
    try {
      await link(file, name);
      return name;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/** Makes the new name survive a loss of power. Not every file system can do it for a folder. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync().catch(() => undefined);
  } finally {
    await handle.close();
  }
}

function unlessAbsent(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}
