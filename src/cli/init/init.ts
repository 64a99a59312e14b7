import { readHaproxy } from '../haproxy/file.js';
import { configText } from './config-text.js';
import type { Environment } from './patroni-environment.js';
import { readPatroniConfig } from './patroni-files.js';
import { settingsOf } from './patroni-settings.js';

/** The files that `--init` reads. */
export interface InitFiles {
  /** Patroni's configuration: a file or a folder. */
  readonly patroni: string;
  /** HAProxy's configuration. */
  readonly haproxy?: string;
}

/**
 * The config.yml for the node of a Patroni. Reads files, writes none. The text has no password and no other secret.
 *
 * @param environment with Patroni's `PATRONI_*` variables, if it has any
 * @throws ConfigError if a file cannot be read, or if patroni.yml lacks what a configuration needs
 */
export async function initialConfig(files: InitFiles, environment: Environment): Promise<string> {
  const settings = settingsOf(files.patroni, await readPatroniConfig(files.patroni, environment));
  const haproxy = files.haproxy === undefined ? undefined : await readHaproxy(files.haproxy);
  return configText(files.patroni, settings, haproxy);
}
