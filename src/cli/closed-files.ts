import { existsSync } from 'node:fs';
import type { LoadedConfig } from '../config/types.js';
import { isClosedToOthers } from './other-users.js';

/** Where the example units have their configurations. */
const FOR_UNITS = /^\/etc\/patroniglue\/[^/]+$/;

/** systemd's copies are for the service. */
const CREDENTIALS = '/run/credentials/';

/** Who looks, and where. */
export interface Looker {
  readonly isRoot: boolean;
  /** systemd runs this host (`sd_booted(3)`). */
  readonly hasSystemd: boolean;
}

const HERE = (): Looker => ({ isRoot: process.getuid?.() === 0, hasSystemd: existsSync('/run/systemd/system') });

/**
 * What root can read and the service cannot, one line for each file: the configuration and the files that it names. The units
 * run patroniglue as a user of its own, so a check by root proves nothing for these files. Empty for another user, who would
 * have got an error, without systemd, and for a configuration that no example unit reads.
 */
export async function closedFiles(
  { file, files }: Pick<LoadedConfig, 'file' | 'files'>,
  { isRoot, hasSystemd } = HERE(),
): Promise<readonly string[]> {
  if (!isRoot || !hasSystemd || file === undefined || !FOR_UNITS.test(file)) return [];
  const named = [...files.keys()].filter((path) => !path.startsWith(CREDENTIALS));
  const closed = await Promise.all(
    [file, ...named].map(async (path) => ((await isClosedToOthers(path)) ? [path] : [])),
  );
  return closed.flat().map((path) => {
    const fix = path === file ? 'chmod 644' : 'LoadCredential= gives it a copy (docs/install.md)';
    return `root can read ${path}, the service's own user cannot, unless a drop-in of the unit says otherwise: ${fix}`;
  });
}
