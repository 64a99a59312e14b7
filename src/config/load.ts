import { readFile } from 'node:fs/promises';
import type { Environment } from './environment.js';
import { type ConfigSource, parseConfig } from './parse.js';
import { NO_PERMISSION, fileReason } from './tls.js';
import { lossesOf } from './losses.js';
import type { FileText, LoadedConfig } from './types.js';
import { ConfigError } from '../errors.js';

/** What messages have in place of the name of a file, if there is none. */
const NO_FILE = 'environment';

/** A file that leaves everything to the environment. */
const NO_KEYS = '{}\n';

/**
 * Reads a configuration file, and the PEM files that it names (relative paths start from the working directory). If the disk
 * hangs, only the caller of this function waits.
 *
 * @param file `undefined`: the environment alone
 * @param former the configuration before: {@link lossesOf} warns of what is missing now
 * @param environment its `PATRONIGLUE_*` variables are in place of keys of the file
 * @throws ConfigError with the problems of all these files, or if the file no longer has any key
 */
export async function loadConfig(
  file: string | undefined,
  former?: LoadedConfig,
  environment: Environment = former?.environment ?? {},
): Promise<LoadedConfig> {
  const loaded = await parse({ file, text: file === undefined ? NO_KEYS : await readText(file), environment });
  if (former === undefined || file === undefined) return loaded;
  const { isAll, warnings } = lossesOf(file, former.text, loaded.text);
  if (isAll)
    throw new ConfigError(file, [
      { line: 1, column: 1, message: 'the file no longer has any key; before, it had some' },
    ]);
  const { config } = loaded;
  return { ...loaded, config: Object.freeze({ ...config, warnings: [...config.warnings, ...warnings] }) };
}

/**
 * The same configuration with the current PEM files; `undefined` if they have not changed. patroniglue does not read the
 * configuration file itself: an operator may be editing it.
 *
 * @throws ConfigError if the PEM files do not work, for example a new certificate with the old key
 */
export async function reloadFiles({ files, ...source }: LoadedConfig): Promise<LoadedConfig | undefined> {
  const now = await readAll(files.keys());
  const isSame = [...now].every(([path, read]) => textOf(read) === textOf(files.get(path)));
  return isSame ? undefined : parse(source, now);
}

type Source = Pick<LoadedConfig, 'file' | 'text' | 'environment'>;

async function parse({ file, text, environment }: Source, known?: LoadedConfig['files']): Promise<LoadedConfig> {
  const source = { text, file: file ?? NO_FILE, environment };
  const files = known ?? (await readAll(namedFiles(source)));
  const readKnown = (path: string): string => {
    const read = files.get(path);
    if (read?.kind !== 'read') throw read?.error;
    return read.text;
  };
  const nowMs = new Date().getTime(); // certificates have dates of the wall clock
  return { config: parseConfig({ ...source, nowMs, readFile: readKnown }), file, text, environment, files };
}

/** The files that a configuration names. This first reading is only for their names. */
function namedFiles(source: Pick<ConfigSource, 'text' | 'file' | 'environment'>): ReadonlySet<string> {
  const names = new Set<string>();
  const note = (path: string): string => {
    names.add(path);
    return '';
  };
  try {
    parseConfig({ ...source, nowMs: 0, readFile: note });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error; // the second reading reports the problems
  }
  return names;
}

async function readAll(paths: Iterable<string>): Promise<ReadonlyMap<string, FileText>> {
  const read = async (path: string): Promise<FileText> => {
    try {
      return { kind: 'read', text: await readFile(path, 'utf8') };
    } catch (error) {
      return { kind: 'unreadable', error };
    }
  };
  return new Map(await Promise.all([...paths].map(async (path) => [path, await read(path)] as const)));
}

function textOf(read: FileText | undefined): string | undefined {
  return read?.kind === 'read' ? read.text : undefined;
}

/** Most often root has made the file for himself, and the service runs as a user of its own. */
const READABLE = 'make it readable for the user of the service: chmod 644';

async function readText(file: string): Promise<string> {
  const unusable = (message: string): ConfigError => new ConfigError(file, [{ line: 1, column: 1, message }]);
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    const reason = fileReason(error);
    const remedy = reason === NO_PERMISSION ? READABLE : 'use --config FILE for another file';
    throw unusable(`cannot read the configuration: ${reason} (${remedy})`);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw unusable('the file is not UTF-8 text');
  }
}
