import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileReason } from '../../config/tls.js';
import { readText, unreadable } from '../text-file.js';
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
