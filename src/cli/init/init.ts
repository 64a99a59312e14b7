import { readHaproxy } from '../haproxy/file.js';
import { configText } from './config-text.js';
import { unitOf, withCredentials } from './credentials.js';
import { type Written, writeOutput } from './output.js';
import type { Environment } from './patroni-environment.js';
import { readPatroniConfig } from './patroni-files.js';
import { settingsOf } from './patroni-settings.js';
import { stepsLeft } from './steps.js';

/** The files of `--init`. */
export interface InitFiles {
  /** Patroni's configuration: a file or a folder. */
  readonly patroni: string;
  /** HAProxy's configuration. */
  readonly haproxy?: string;
  /** The file to write. Absent: none is written. */
  readonly output?: string;
}

/** What `--init` has made. */
export interface Initial {
  /** The config.yml. It has no password and no other secret. */
  readonly text: string;
  /** What the operator should know. */
  readonly notes: readonly string[];
  /** What is left to do before the service can start with the configuration. */
  readonly steps: readonly string[];
}

/**
 * The config.yml for the node of a Patroni. Reads files, writes none.
 *
 * @param environment with Patroni's `PATRONI_*` variables, if it has any
 * @throws ConfigError if a file cannot be read, or if patroni.yml lacks what a configuration needs
 */
export async function initialConfig(
  { patroni, haproxy: haproxyFile, output }: InitFiles,
  environment: Environment,
): Promise<Initial> {
  const found = settingsOf(patroni, await readPatroniConfig(patroni, environment));
  const haproxy = haproxyFile === undefined ? undefined : await readHaproxy(haproxyFile);
  const { settings, ...needs } = await withCredentials(found, unitOf(output));
  return {
    text: configText(patroni, settings, { haproxy, needs }),
    notes: haproxy?.checks.length === 0 ? [`${haproxy.file}: no health check found: is it a haproxy.cfg?`] : [],
    steps: await stepsLeft(needs),
  };
}

/** What the program prints, and its exit code. */
export interface Printed {
  readonly stdout: string;
  readonly stderr: string;
  /** 1 if the file is written, but something is left to do before a restart. */
  readonly exitCode: 0 | 1;
}

/**
 * Does what `--init` asks for: with `output`, writes the file.
 *
 * @throws ConfigError as {@link initialConfig}
 * @throws UsageError if the file cannot be written
 */
export async function runInit(files: InitFiles, environment: Environment): Promise<Printed> {
  const { text, notes, steps } = await initialConfig(files, environment);
  const { output } = files;
  const warnings = notes.map((note) => `warning: ${note}\n`).join('');
  const left = steps.map((step) => `${step}\n`).join('');
  if (output === undefined) return { stdout: text, stderr: warnings + left, exitCode: 0 };
  const stdout = `${words(output, await writeOutput(output, text))}\n`;
  return { stdout, stderr: warnings + left, exitCode: steps.length === 0 ? 0 : 1 };
}

function words(file: string, written: Written): string {
  if (written.kind === 'unchanged') return `${file} has this configuration already`;
  return written.backup === undefined ? `${file} written` : `${file} written; the former file is ${written.backup}`;
}
