import { isIPv6 } from 'node:net';
import type { Problem } from '../errors.js';
import { type Kind, type ListedKey, allKeys } from './keys.js';
import { nearest } from './nearest-word.js';
import { type Position, type YamlValue, readYaml } from './yaml.js';

/** The environment of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

const PREFIX = 'PATRONIGLUE_';

/** The variable of a key: `PATRONIGLUE_CACHE_SLOW_TTL` for `cache.slow-ttl`. */
export function variableOf({ path }: Pick<ListedKey, 'path'>): string {
  return PREFIX + path.toUpperCase().replace(/[-.]/g, '_');
}

/** The variables that give a key a value, in the order of the table. An empty variable gives none, as in Patroni. */
export function variablesIn(environment: Environment): readonly string[] {
  return allKeys.map(variableOf).filter((variable) => textIn(environment, variable) !== '');
}

/**
 * The values of a file, with those of the environment in their place: the environment wins, as in Patroni. Reports variables
 * with the prefix that belong to no key.
 */
export function withEnvironment(root: YamlValue, environment: Environment, problems: Problem[]): YamlValue {
  const report = (variable: string, message: string): void => void problems.push({ ...placeOf(variable), message });
  reportUnknown(environment, report);
  return allKeys.reduce((values, listed) => {
    const variable = variableOf(listed);
    const text = textIn(environment, variable);
    if (text === '') return values;
    if (isServiceLink(variable, text)) {
      report(variable, `${listed.path}: Kubernetes sets this variable for a Service of that name: ${SERVICE_LINK_FIX}`);
      return values;
    }
    const path = [...listed.section.split('.'), listed.key.name];
    return withValue(values, path, valueOf(listed.key, text, placeOf(variable)));
  }, root);
}

/** A variable has no line. Its problems come before those of the file. */
function placeOf(variable: string): Position {
  return { line: 0, column: 0, variable };
}

function textIn(environment: Environment, variable: string): string {
  return environment[variable]?.trim() ?? '';
}

/** `root` with this value at this path. A section that has another type in the file stays as it is, and is reported later. */
function withValue(root: YamlValue, [name = '', ...rest]: readonly string[], value: YamlValue): YamlValue {
  if (root.kind !== 'section' && root.kind !== 'nothing') return root;
  const entries = root.kind === 'section' ? root.entries : [];
  const former = entries.find(({ key }) => key === name);
  const inner = former?.value ?? { kind: 'nothing', at: value.at };
  const entry = {
    key: name,
    keyAt: former?.keyAt ?? value.at,
    value: rest.length === 0 ? value : withValue(inner, rest, value),
  };
  return { kind: 'section', entries: [...entries.filter((other) => other !== former), entry], at: root.at };
}

/** A text as the file would have it. */
function valueOf({ kind }: Kind, text: string, at: Position): YamlValue {
  const scalar = (value: string | number | boolean): YamlValue => ({ kind: 'scalar', value, quoted: false, at });
  switch (kind) {
    case 'whole number':
    case 'seconds':
      return scalar(/^[-+]?(?:\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : text);
    case 'boolean':
      return scalar(/^(?:true|false)$/i.test(text) ? text.toLowerCase() === 'true' : text);
    case 'endpoints':
    case 'routes':
    case 'networks':
      return listIn(text, at) ?? { kind: 'list', items: text.split(',').map((item) => scalar(item.trim())), at };
    case 'ciphers':
      return listIn(text, at) ?? scalar(text); // words with commas are a cipher string, too
    case 'host':
    case 'endpoint or none':
    case 'word':
    case 'file':
    case 'password file':
    case 'text':
    case 'key prefix':
    case 'log line':
    case 'TLS version':
    case 'route':
      return scalar(text);
  }
}

/** A list in YAML: `[/primary, "/replica?lag=10MB"]`. `undefined` for any other text, such as `[fd00::1]`. */
function listIn(text: string, at: Position): YamlValue | undefined {
  if (!/^\[.*\]$/s.test(text) || isIPv6(text.slice(1, -1))) return undefined;
  const { root } = readYaml(text);
  return root.kind === 'list' ? { ...root, items: root.items.map((item) => ({ ...item, at })), at } : undefined;
}

/** Variables of the same prefix that mean something else: for pm2, and for the image. */
const OTHERS: readonly string[] = ['PATRONIGLUE_CONFIG', 'PATRONIGLUE_HEALTHY'];

const SERVICE_LINK_FIX = 'write enableServiceLinks: false in the pod, or rename the Service';

/**
 * Kubernetes gives each container variables about the Services of its namespace: a Service named patroniglue makes
 * `PATRONIGLUE_SERVICE_HOST` and `PATRONIGLUE_PORT=tcp://...` ("Discovering services" in its documentation).
 */
function isServiceLink(variable: string, text: string): boolean {
  return (
    /_SERVICE_(?:HOST|PORT(?:_\w+)?)$|_PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?$/.test(variable) ||
    (variable.endsWith('_PORT') && /^(?:tcp|udp|sctp):\/\//.test(text))
  );
}

function reportUnknown(environment: Environment, report: (variable: string, message: string) => void): void {
  const known = allKeys.map(variableOf);
  const given = Object.keys(environment).filter((name) => name.startsWith(PREFIX) && textIn(environment, name) !== '');
  for (const name of given.sort()) {
    if (known.includes(name) || OTHERS.includes(name) || isServiceLink(name, textIn(environment, name))) continue;
    const close = nearest(
      name.slice(PREFIX.length),
      known.map((variable) => variable.slice(PREFIX.length)),
    );
    const hint =
      close === undefined ? 'docs/configuration.md has the variable of each key' : `did you mean ${PREFIX}${close}?`;
    report(name, `unknown variable: ${hint}`);
  }
}
