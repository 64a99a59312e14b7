import { parseArgs } from 'node:util';
import { defaultConfig } from '../config/default-file.js';
import { UsageError } from '../errors.js';
import { nearest } from '../config/nearest-word.js';
import type { LogLevel } from '../log/levels.js';

/** What the command line asks for. `config` is the path of the configuration file; `undefined`: the environment alone. */
export type Invocation =
  | { readonly kind: 'run'; readonly config: string | undefined; readonly level: LogLevel }
  | { readonly kind: 'check'; readonly config: string | undefined; readonly live: boolean }
  | { readonly kind: 'notify'; readonly config: string | undefined }
  /** `patroni` and `haproxy` are the configuration files of these programs. `output`: the file to write, not stdout. */
  | { readonly kind: 'init'; readonly patroni: string; readonly haproxy?: string; readonly output?: string }
  | { readonly kind: 'doctor'; readonly config: string | undefined; readonly haproxy?: string; readonly json: boolean }
  | { readonly kind: 'version' }
  | { readonly kind: 'help' };

const OPTIONS = {
  config: { type: 'string' },
  check: { type: 'boolean' },
  live: { type: 'boolean' },
  notify: { type: 'boolean' },
  init: { type: 'string' },
  haproxy: { type: 'string' },
  output: { type: 'string' },
  doctor: { type: 'boolean' },
  json: { type: 'boolean' },
  verbose: { type: 'boolean' },
  debug: { type: 'boolean' },
  quiet: { type: 'boolean' },
  version: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

/** The options of the Go program. Its `flag` package took one dash or two, and `-h` for help. */
const ONE_DASH = /^-(?:config|verbose|debug|quiet|version|help)(?:=|$)/;

/**
 * Reads the command line. `--help` wins over `--version`, and both over the rest.
 *
 * @param argv without program and script
 * @param findConfig finds the configuration file if `--config` is absent; not called for `--help` and `--version`
 * @throws UsageError for an unknown option, for options that exclude each other, for a missing value or one too many
 */
export function parseArguments(
  argv: readonly string[],
  findConfig: () => string | undefined = defaultConfig,
): Invocation {
  const args = argv.map((arg) => (arg === '-h' ? '--help' : ONE_DASH.test(arg) ? `-${arg}` : arg));
  for (const arg of args) if (/^-[^-]/.test(arg)) throw unknownOption(arg); // parseArgs would read `-check` as -c -h -e -c -k
  // Not `strict`: the checks below are. parseArgs's messages do not name the nearest option, and change with Node's version.
  const { values, tokens } = parseArgs({ args, options: OPTIONS, strict: false, tokens: true });
  const given = new Set<string>();
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue;
    // Patroni calls a callback with the event, the role and the name of the cluster.
    if (token.kind === 'positional' && values.notify === true) continue;
    if (token.kind === 'positional') throw usageError(`unexpected argument ${JSON.stringify(token.value)}`);
    const option = Object.entries(OPTIONS).find(([name]) => name === token.name)?.[1];
    if (option === undefined) throw unknownOption(token.rawName);
    const isText = option.type === 'string';
    if (!isText && token.value !== undefined) throw usageError(`${token.rawName} takes no value`);
    // The name of a file may begin with a dash: --config=-file
    if (isText && (!token.value || (!token.inlineValue && token.value.startsWith('-')))) {
      throw usageError(`${token.rawName} needs the name of a file`);
    }
    if (isText && given.has(token.name)) throw usageError(`--${token.name} is there twice: write it once`);
    given.add(token.name);
  }
  const levels = (['verbose', 'debug', 'quiet'] as const).filter((name) => values[name] === true);
  if (levels.length > 1) throw usageError(`${levels.map((name) => `--${name}`).join(' and ')} exclude each other`);
  if (values.help === true) return { kind: 'help' };
  if (values.version === true) return { kind: 'version' };
  const init = initIn(values);
  if (init !== undefined) return init;
  const config = typeof values.config === 'string' ? values.config : findConfig();
  const live = values.live === true;
  if (values.doctor === true) return doctorIn(values, config);
  if (values.json === true) throw usageError('--json needs --doctor');
  if (values.notify === true) {
    if (values.check === true || live) throw usageError('--notify and --check exclude each other');
    return { kind: 'notify', config };
  }
  if (values.check === true) return { kind: 'check', config, live };
  if (live) throw usageError('--live needs --check');
  return { kind: 'run', config, level: levels[0] === 'quiet' ? 'error' : (levels[0] ?? 'info') };
}

/** What `--init`, `--haproxy` and `--output` ask for. */
function initIn(values: Readonly<Record<string, unknown>>): Extract<Invocation, { kind: 'init' }> | undefined {
  const { init: patroni, haproxy, output } = values;
  if (typeof patroni !== 'string') {
    if (haproxy !== undefined && values['doctor'] !== true) throw usageError('--haproxy needs --init or --doctor');
    if (output !== undefined) throw usageError('--output needs --init');
    return undefined;
  }
  const [other] = ['config', 'check', 'live', 'notify', 'doctor', 'json'].filter((name) => values[name] !== undefined);
  if (other !== undefined) throw usageError(`--init and --${other} exclude each other`);
  return {
    ...{ kind: 'init', patroni },
    ...(typeof haproxy === 'string' && { haproxy }),
    ...(typeof output === 'string' && { output }),
  };
}

/** What `--doctor`, `--haproxy` and `--json` ask for. */
function doctorIn(
  values: Readonly<Record<string, unknown>>,
  config: string | undefined,
): Extract<Invocation, { kind: 'doctor' }> {
  const { haproxy, json } = values;
  const [other] = ['check', 'live', 'notify', 'verbose', 'debug', 'quiet'].filter((name) => values[name] === true);
  if (other !== undefined) throw usageError(`--doctor and --${other} exclude each other`);
  return { kind: 'doctor', config, json: json === true, ...(typeof haproxy === 'string' && { haproxy }) };
}

function unknownOption(rawName: string): UsageError {
  const name = rawName.replace(/^-+/, '').replace(/=.*$/s, '');
  const close = nearest(name, Object.keys(OPTIONS));
  const written = JSON.stringify(rawName.replace(/=.*$/s, ''));
  return usageError(`unknown option ${written}${close === undefined ? '' : `: did you mean --${close}?`}`);
}

const usageError = (message: string): UsageError => new UsageError(`${message}\nTry: patroniglue --help`);
