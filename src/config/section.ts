import type { Check, Complain } from './checks.js';
import { asText, quote, show } from './checks.js';
import type { Problem } from '../errors.js';
import { nearest } from './nearest-word.js';
import type { Position, YamlEntry, YamlValue } from './yaml.js';

/** Every section of the file and its keys, in the order of config.yml.example. */
export const knownKeys = {
  frontend: [
    'host',
    'port',
    'certfile',
    'keyfile',
    'tls-min-version',
    'tls-ciphers',
    'logformat',
    'status',
    'refresh-from',
    'proxy-protocol',
  ],
  backend: ['host', 'port', 'scheme', 'insecure', 'servername', 'cafile', 'certfile', 'keyfile', 'timeout', 'routes'],
  agent: ['host', 'port', 'route', 'standby', 'wait'],
  cache: ['ttl', 'interval', 'slow-ttl', 'slow-interval', 'learn', 'lease-guard'],
  log: ['format'],
} as const;

/** The name of a section. */
export type SectionName = keyof typeof knownKeys;

/** All that is found wrong (`problems`) or odd (`warnings`) while a file is read. */
export interface Findings {
  readonly problems: Problem[];
  readonly warnings: Problem[];
}

/** What the file says under one key: nothing, something of no use (which was reported), or a value. */
export type Field<T> =
  | { readonly kind: 'absent' }
  | { readonly kind: 'bad'; readonly at: Position }
  | { readonly kind: 'given'; readonly value: T; readonly at: Position };

/** The value of a field, or `fallback` where it is absent; where it is bad too, so that reading can go on. */
export function valueOf<T, F>(field: Field<T>, fallback: F): T | F {
  return field.kind === 'given' ? field.value : fallback;
}

/** One section of the file. */
export interface Section<N extends SectionName = SectionName> {
  /** Reads a key by a check. An empty text is absent unless `emptyCounts`: the Go program took it so. */
  read<T>(key: (typeof knownKeys)[N][number], check: Check<T>, emptyCounts?: 'emptyCounts'): Field<T>;
  /** Where the value of a key starts; `undefined` where there is none. */
  at(key: (typeof knownKeys)[N][number]): Position | undefined;
  /** Reports about a key: `cache.ttl: ...`. */
  complain(key: (typeof knownKeys)[N][number], at: Position): Complain;
}

/** Finds the sections under `root` and reports whatever else is there. */
export function createSections(root: YamlValue, findings: Findings): <N extends SectionName>(name: N) => Section<N> {
  const entries = entriesOf(root, `the file must hold sections (${listOf(Object.keys(knownKeys))})`, findings);
  reportUnknown('', entries, Object.keys(knownKeys), findings);
  if (entries.length > 0 && entries.every(({ value }) => value.kind === 'nothing')) {
    findings.warnings.push({
      ...root.at,
      message: 'no key has a value, so each has its default: is the file cut off?',
    });
  }
  return (name) => {
    const value = entries.find(({ key }) => key === name)?.value;
    const keys: readonly string[] = knownKeys[name];
    const mustBe = `${name}: must be a section of keys (${listOf(keys)})`;
    const sectionEntries = value === undefined ? [] : entriesOf(value, mustBe, findings);
    reportUnknown(`${name}: `, sectionEntries, keys, findings);
    return createSection(name, sectionEntries, findings);
  };
}

function createSection<N extends SectionName>(
  name: N,
  entries: readonly YamlEntry[],
  { problems, warnings }: Findings,
): Section<N> {
  const complain: Section<N>['complain'] = (key, ownAt) => ({
    problem: (message, at = ownAt) => void problems.push({ ...at, message: `${name}.${key}: ${message}` }),
    warning: (message, at = ownAt) => void warnings.push({ ...at, message: `${name}.${key}: ${message}` }),
  });
  return {
    complain,
    at: (key) => entries.find((entry) => entry.key === key)?.value.at,
    read(key, check, emptyCounts) {
      const value = entries.find((entry) => entry.key === key)?.value;
      if (value === undefined || value.kind === 'nothing') return { kind: 'absent' };
      const { at } = value;
      if (value.kind === 'scalar' && value.value === '' && emptyCounts === undefined) return { kind: 'absent' };
      const before = problems.length;
      const read = check(value, complain(key, at));
      return read === undefined || problems.length > before ? { kind: 'bad', at } : { kind: 'given', value: read, at };
    },
  };
}

function entriesOf(value: YamlValue, mustBe: string, { problems }: Findings): readonly YamlEntry[] {
  if (value.kind === 'section') return value.entries;
  if (value.kind !== 'nothing')
    problems.push({ ...value.at, message: `${mustBe}, not ${show(value)}${spaceHint(value)}` });
  return [];
}

/** `port:8009` and `port=8009` are text to YAML. */
function spaceHint(value: YamlValue): string {
  const [, key, word] = /^([a-z-]+)[:=]([^\s:]\S*)/.exec(asText(value) ?? '') ?? [];
  if (key === undefined || word === undefined) return '';
  return `; a key ends in a colon and a space: ${key}: ${quote(word).slice(1, -1)}`;
}

function reportUnknown(path: string, entries: readonly YamlEntry[], keys: readonly string[], findings: Findings): void {
  for (const { key, keyAt } of entries) {
    if (keys.includes(key)) continue;
    findings.problems.push({ ...keyAt, message: `${path}unknown key ${quote(key)}: ${suggestKey(key, keys)}` });
  }
}

function suggestKey(key: string, keys: readonly string[]): string {
  const [, name] = /^([a-z-]+)[:=]/.exec(key) ?? [];
  if (name !== undefined && keys.includes(name))
    return `a key ends in a colon and a space, as in ${quote(`${name}: `)}`;
  const close = nearest(key, keys);
  if (close !== undefined) return `did you mean ${quote(close)}?`;
  const elsewhere = nearest(key, Object.values(knownKeys).flat());
  const homes = Object.entries(knownKeys).filter(([, others]) => others.some((other) => other === elsewhere));
  if (homes.length > 0) return `did you mean ${homes.map(([name]) => `${name}.${elsewhere ?? ''}`).join(' or ')}?`;
  return `known are ${listOf(keys)}`;
}

const listOf = (words: readonly string[]): string => words.join(', ');
