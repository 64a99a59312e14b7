import { statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { UsageError } from '../errors.js';

const SYSTEM_WIDE = '/etc/patroniglue/config.yml';

/** What finding a file needs from outside. */
export interface DefaultConfigSources {
  /** The user's home directory; throws, or is empty, where there is none. Default: Node's `homedir`. */
  readonly home?: () => string;
  /** Throws with the code ENOENT or ENOTDIR where the file is not there. Default: Node's `statSync`. */
  readonly stat?: (file: string) => unknown;
}

/**
 * The configuration file where the command line names none: that of the system, else that of the user.
 *
 * @throws UsageError where neither is there
 */
export function defaultConfig({ home = homedir, stat = statSync }: DefaultConfigSources = {}): string {
  const files = [SYSTEM_WIDE, ...homeFile(home)];
  const found = files.find((file) => isThere(file, stat));
  if (found !== undefined) return found;
  const places = files.length > 1 ? `neither ${files.join(' nor ')} exists` : `there is no ${files.join()}`;
  throw new UsageError(`no configuration: ${places}; use --config FILE`);
}

/** A user without an entry in passwd has a home directory only by HOME, and a service may have neither. */
function homeFile(home: () => string): readonly string[] {
  try {
    const dir = home();
    return dir === '' ? [] : [join(dir, '.patroniglue.yml')];
  } catch {
    return [];
  }
}

/** A file that is there and may not be looked at counts: reading it tells why. */
function isThere(file: string, stat: (file: string) => unknown): boolean {
  try {
    stat(file);
    return true;
  } catch (error) {
    return !['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
  }
}
