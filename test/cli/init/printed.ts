import assert from 'node:assert/strict';
import { parseConfig } from '../../../src/config/parse.js';
import type { Config } from '../../../src/config/types.js';
import { ConfigError } from '../../../src/errors.js';
import { configText } from '../../../src/cli/init/config-text.js';
import { haproxyIn } from '../../../src/cli/haproxy/file.js';
import { type Environment, patched, patroniEnvironment } from '../../../src/cli/init/patroni-environment.js';
import { settingsOf } from '../../../src/cli/init/patroni-settings.js';
import { readPythonYaml } from '../../../src/cli/init/python-yaml.js';

/** What `--init` prints for the texts of files, without any file. */
export function printed(patroni: string, haproxy?: string, environment: Environment = {}): string {
  const config = patched(readPythonYaml('patroni.yml', patroni), patroniEnvironment(environment));
  const settings = settingsOf('patroni.yml', config);
  const checks = haproxy === undefined ? undefined : haproxyIn('haproxy.cfg', haproxy);
  return configText('patroni.yml', settings, { haproxy: checks });
}

/**
 * The printed text as patroniglue reads it. The PEM files and the password file that it names do not exist here, so the
 * configuration is read without these lines. All other problems and all warnings fail.
 */
export function parsedConfig(text: string): Config {
  const noFile = (): never => {
    throw Object.assign(new Error('ENOENT'), { code: 'ENOENT' });
  };
  const parse = (yaml: string): Config => parseConfig({ text: yaml, file: 'config.yml', nowMs: 0, readFile: noFile });
  const others = problemsIn(() => parse(text)).filter((message) => !/^\S+: cannot read .*no such file$/.test(message));
  assert.deepEqual(others, [], text);
  return parse(text.replace(/^ +(?:cafile|certfile|keyfile|username|password-file): .*$/gm, ''));
}

/** The lines of a printed text that are not comments, without spaces around them. */
export function linesOf(text: string): readonly string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

/** The comments of a printed text, as one text without line ends. */
export function commentsOf(text: string): string {
  return text
    .split('\n')
    .filter((line) => /^ *#/.test(line))
    .map((line) => line.replace(/^ *# ?/, ''))
    .join(' ');
}

function problemsIn(read: () => unknown): readonly string[] {
  try {
    read();
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems.map(({ message }) => message);
  }
}
