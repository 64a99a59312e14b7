import { configText } from './config-text.js';
import { checksIn } from './haproxy-checks.js';
import type { HaproxyFile } from './haproxy-text.js';
import type { Environment } from './patroni-environment.js';
import { readPatroniConfig, readText } from './patroni-files.js';
import { settingsOf } from './patroni-settings.js';

/** The files that `--init` reads. */
export interface InitFiles {
  /** Patroni's configuration: a file or a folder. */
  readonly patroni: string;
  /** HAProxy's configuration. */
  readonly haproxy?: string;
}

/** Most bytes of a haproxy.cfg that are read. */
const MAX_HAPROXY_BYTES = 4_194_304;

/**
 * The config.yml for the node of a Patroni. Reads files, writes none. The text has no password and no other secret.
 *
 * @param environment with Patroni's `PATRONI_*` variables, if it has any
 * @throws ConfigError if a file cannot be read, or if patroni.yml lacks what a configuration needs
 */
export async function initialConfig(files: InitFiles, environment: Environment): Promise<string> {
  const settings = settingsOf(files.patroni, await readPatroniConfig(files.patroni, environment));
  return configText(files.patroni, settings, await readHaproxy(files.haproxy));
}

async function readHaproxy(file: string | undefined): Promise<HaproxyFile | undefined> {
  if (file === undefined) return undefined;
  return { file, checks: checksIn((await readText(file)).slice(0, MAX_HAPROXY_BYTES)) };
}
