import { realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

const OTHERS_MAY_ENTER = 0o001;
const OTHERS_MAY_READ = 0o004;

/** Where the example unit lets the service see nothing (`ProtectHome=`), whatever the modes of the files are. */
const HIDDEN = /^\/(?:home|root|run\/user)\//;

/**
 * True for a file that is there, and that a user of its own, as the service is (`DynamicUser=`), cannot read: by the modes of
 * the file and of the folders above it. False for a file that is not there.
 */
export async function isClosedToOthers(path: string): Promise<boolean> {
  try {
    const real = await realpath(path);
    if (((await stat(real)).mode & OTHERS_MAY_READ) === 0 || HIDDEN.test(real)) return true;
    const folders = new Set([...foldersOf(path), ...foldersOf(real)]);
    const modes = await Promise.all([...folders].map(async (folder) => (await stat(folder)).mode));
    return modes.some((mode) => (mode & OTHERS_MAY_ENTER) === 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES';
  }
}

/** All folders above a file. */
function foldersOf(path: string): readonly string[] {
  const folder = dirname(path);
  return folder === path || folder === '.' ? [] : [folder, ...foldersOf(folder)];
}
