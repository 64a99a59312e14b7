import { statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { UsageError } from '../errors.js';
import { type Environment, variablesIn } from './environment.js';

const SYSTEM_WIDE = '/etc/patroniglue/config.yml';

/** How to find the file. */
export interface DefaultConfigSources {
  /** Returns the user's home directory. Throws, or returns an empty text, if there is none. Default: Node's `homedir`. */
  readonly home?: () => string;
  /** Throws with the code ENOENT or ENOTDIR if the file does not exist. Default: Node's `statSync`. */
  readonly stat?: (file: string) => unknown;
  /** The environment, which may have the keys in place of a file. Default: empty. */
  readonly environment?: Environment;
}

/**
 * The configuration file if the command line names none: the system's file, or else the user's. `undefined` if neither
 * exists, and the environment has a key.
 *
 * @throws UsageError if there is none of the three
 */
export function defaultConfig({ home = homedir, stat = statSync, environment = {} }: DefaultConfigSources = {}):
  string | undefined {
  const files = [SYSTEM_WIDE, ...homeFile(home)];
  const found = files.find((file) => fileExists(file, stat));
  if (found !== undefined || variablesIn(environment).length > 0) return found;
  const places = files.length > 1 ? `neither ${files.join(' nor ')} exists` : `there is no ${files.join()}`;
  throw new UsageError(`no configuration: ${places}; use --config FILE`);
}

/** A user without an entry in passwd has a home directory only if HOME is set. A service may have neither. */
function homeFile(home: () => string): readonly string[] {
  try {
    const dir = home();
    return dir === '' ? [] : [join(dir, '.patroniglue.yml')];
  } catch {
    return [];
  }
}

/** True also for a file that `stat` may not examine: the error that reading it causes is the better message. */
function fileExists(file: string, stat: (file: string) => unknown): boolean {
  try {
    stat(file);
    return true;
  } catch (error) {
    return !['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
  }
}
