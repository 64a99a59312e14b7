import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileReason } from '../../config/tls.js';
import { ConfigError } from '../../errors.js';
import { type Environment, patched, patroniEnvironment } from './patroni-environment.js';
import { type Section, readPythonYaml } from './python-yaml.js';

/**
 * Patroni's local configuration: the file, or all files `*.yml` and `*.yaml` of a folder in alphabetical order, and over them
 * the `PATRONI_*` variables (`_load_config_file` in `patroni/config.py`).
 *
 * @throws ConfigError if a file cannot be read, or is no YAML
 */
export async function readPatroniConfig(path: string, environment: Environment): Promise<Section> {
  let config: Section = {};
  for (const file of await filesAt(path)) config = patched(config, readPythonYaml(file, await readText(file)));
  return patched(config, patroniEnvironment(environment));
}

/**
 * A text file.
 *
 * @throws ConfigError if it cannot be read, or is not UTF-8
 */
export async function readText(file: string): Promise<string> {
  const bytes = await readFile(file).catch((error: unknown) => {
    throw unreadable(file, `cannot read the file: ${fileReason(error)}`);
  });
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw unreadable(file, 'the file is not UTF-8 text');
  }
}

async function filesAt(path: string): Promise<readonly string[]> {
  const found = await stat(path).catch(() => undefined); // reading the file tells what is wrong with it
  if (found?.isDirectory() !== true) return [path];
  const names = await readdir(path).catch((error: unknown) => {
    throw unreadable(path, `cannot read the folder: ${fileReason(error)}`);
  });
  const files = names.filter((name) => /\.ya?ml$/.test(name)).sort();
  if (files.length === 0) throw unreadable(path, 'the folder has no file *.yml or *.yaml');
  return files.map((name) => join(path, name));
}

function unreadable(file: string, message: string): ConfigError {
  return new ConfigError(file, [{ line: 1, column: 1, message }]);
}
