import { withHints } from './hints.js';
import { mustHaveItsOwnPort, mustNotPollItself, warnWithoutAgentPort } from './listen-address.js';
import { type Findings, readFields, settingsOf } from './section.js';
import { defaultTimes, timesMustFit } from './times.js';
import { type FileSource, readClientTls, readFrontendTls, readPassword } from './tls.js';
import { ConfigError, type Problem, describeProblem } from '../errors.js';
import { type Environment, withEnvironment } from './environment.js';
import type { Config } from './types.js';
import { readWitness } from './witness.js';
import { readYaml } from './yaml.js';

/** What {@link parseConfig} reads. */
export interface ConfigSource extends FileSource {
  /** The YAML text. */
  readonly text: string;
  /** The name of the file, for messages. */
  readonly file: string;
  /** Variables in place of keys of the file. If absent, there are none. */
  readonly environment?: Environment;
}

const EMPTY =
  'the file has no keys (it is empty, or has only comments): is it still being written? If you want every default, write {}';

/**
 * Reads the configuration in a YAML text, and in the environment. A text without keys is an error, because another program
 * may still be writing the file. `{}` stands for every default.
 *
 * All problems are reported at once. If the syntax is broken, only the syntax errors are: anything else would be a guess.
 *
 * @throws ConfigError with every problem, in the order of the file
 */
export function parseConfig({ text, file, environment = {}, readFile, nowMs }: ConfigSource): Config {
  const { root, problems: syntax, broken } = readYaml(text);
  if (broken) throw new ConfigError(file, withHints(text, inOrder(syntax)));
  if (root.kind === 'nothing')
    throw new ConfigError(file, inOrder([...syntax, { line: 1, column: 1, message: EMPTY }]));
  const findings: Findings = { problems: [...syntax], warnings: [] };
  const fields = readFields(withEnvironment(root, environment, findings.problems), findings);

  const { timeoutMs, ...times } = defaultTimes(fields);
  const frontend = settingsOf('frontend', fields, {});
  const backend = settingsOf('backend', fields, { timeoutMs });
  const agent = settingsOf('agent', fields, { host: frontend.host });
  const cache = settingsOf('cache', fields, times);
  const log = settingsOf('log', fields, {});

  timesMustFit(fields, cache);
  mustNotPollItself(fields, { frontend, backend, agent });
  mustHaveItsOwnPort(fields, { frontend, backend, agent });
  warnWithoutAgentPort(fields);
  const source = { readFile, nowMs };
  const frontendTls = readFrontendTls(fields, source);
  const backendTls = readClientTls('backend', 'Patroni', fields, source);
  const etcdTls = readClientTls('witness.etcd3', 'etcd', fields, source);
  const witness = readWitness(fields, { tls: etcdTls, password: readPassword(fields, source) });

  if (findings.problems.length > 0) throw new ConfigError(file, withHints(text, inOrder(findings.problems)));
  return deepFreeze({
    frontend: { ...frontend, ...(frontendTls && { tls: frontendTls }) },
    backend: { ...backend, tls: backendTls },
    agent,
    cache,
    log,
    ...(witness && { witness }),
    warnings: inOrder(findings.warnings).map((warning) => describeProblem(file, warning)),
  });
}

/** Sorts problems by their position in the file. A problem that occurs twice because of an alias is kept once. */
function inOrder(problems: readonly Problem[]): Problem[] {
  const unique = new Map(problems.map((problem) => [describeProblem('', problem), problem]));
  return [...unique.values()].sort((a, b) => a.line - b.line || a.column - b.column);
}

function deepFreeze<T extends object>(object: T): Readonly<T> {
  for (const value of Object.values(object))
    if (typeof value === 'object' && value !== null) deepFreeze(value as object);
  return Object.freeze(object);
}
