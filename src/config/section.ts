import { type Complain, asText, checkOf, quote, show } from './checks.js';
import type { Problem } from '../errors.js';
import { type Key, type Plain, type Subsection, keys, sectionNames, subsectionsOf } from './keys.js';
import { nearest } from './nearest-word.js';
import type { Following, SectionConfig, SectionName, TlsConfig, ValueOf } from './types.js';
import type { Position, YamlEntry, YamlValue } from './yaml.js';

function bySection<T>(make: (name: SectionName) => T): Readonly<Record<SectionName, T>> {
  return Object.fromEntries(sectionNames.map((name) => [name, make(name)])) as Record<SectionName, T>;
}

const topNames = subsectionsOf().map(({ name }) => name);

/** The names that each section may have in the file: its keys and then its subsections, in the order of the table. */
const knownNames = bySection<readonly string[]>((name) => [
  ...Object.values<Key>(keys[name]).map((key) => key.name),
  ...subsectionsOf(name).map((subsection) => subsection.name),
]);

/** What reading a file finds: `problems` stop the start, `warnings` do not. */
export interface Findings {
  readonly problems: Problem[];
  readonly warnings: Problem[];
}

/**
 * A key of the table with its value in the file. Its problems and warnings are at the value's position, unless the caller
 * names another.
 */
export interface Field<T> extends Complain {
  readonly key: Key;
  /** Section and name: `cache.ttl`. */
  readonly path: string;
  /** `bad`: the value is wrong, and this has been reported. */
  readonly state: 'absent' | 'bad' | 'given';
  /**
   * The value in the file. If it is absent or bad: the default, so that reading can go on; `undefined` if there is no
   * default.
   */
  readonly value: T;
  /** Where the value starts; `undefined` if the file does not have the key. */
  readonly at: Position | undefined;
}

type FieldOf<K> = Field<ValueOf<K> | (K extends { default: Plain } ? never : undefined)>;

/** Every field of the table, by section. */
export type Fields = {
  readonly [N in SectionName]: { readonly [F in keyof (typeof keys)[N]]: FieldOf<(typeof keys)[N][F]> };
};

/** Reads every key of the table under `root`, and reports all keys that the table does not have. */
export function readFields(root: YamlValue, findings: Findings): Fields {
  const entries = entriesOf(root, `the file must hold sections (${listOf(topNames)})`, findings);
  reportUnknown('', entries, topNames, findings);
  if (entries.length > 0 && entries.every(({ value }) => value.kind === 'nothing')) {
    const message = 'no key has a value, so patroniglue uses every default. Is the file cut off?';
    findings.warnings.push({ ...root.at, message });
  }
  const fields = readSections(subsectionsOf(), entries, undefined, findings);
  return fields as unknown as Fields; // checkOf() returns the types of ValueOfKind
}

type FieldsBySection = Readonly<Record<string, Readonly<Record<string, Field<unknown>>>>>;

/** Reads sections, each with its subsections. `parentAt` is where the section is that has them. */
function readSections(
  subsections: readonly Subsection[],
  entries: readonly YamlEntry[],
  parentAt: Position | undefined,
  findings: Findings,
): FieldsBySection {
  const read = subsections.map(({ section, name }) => readSection(section, entryIn(entries, name), parentAt, findings));
  return Object.fromEntries(read.flatMap((fields) => Object.entries(fields)));
}

function readSection(
  name: SectionName,
  written: YamlEntry | undefined,
  parentAt: Position | undefined,
  findings: Findings,
): FieldsBySection {
  const names = knownNames[name];
  const mustBe = `${name}: must be a section of keys (${listOf(names)})`;
  const entries = written === undefined ? [] : entriesOf(written.value, mustBe, findings);
  reportUnknown(`${name}: `, entries, names, findings);
  const at = isWrongType(written?.value) ? undefined : (written?.keyAt ?? parentAt);
  const fields = Object.entries<Key>(keys[name]).map(
    ([field, key]) =>
      [field, readField(`${name}.${key.name}`, key, entryIn(entries, key.name)?.value, at, findings)] as const,
  );
  return { [name]: Object.fromEntries(fields), ...readSections(subsectionsOf(name), entries, at, findings) };
}

/** True for a value that is reported as not being a section: then no key is reported as missing from it. */
function isWrongType(value: YamlValue | undefined): boolean {
  return value !== undefined && value.kind !== 'section' && value.kind !== 'nothing';
}

/** @param sectionAt where the key belongs if it is missing; `undefined` if the file does not have its section */
function readField(
  path: string,
  key: Key,
  written: YamlValue | undefined,
  sectionAt: Position | undefined,
  { problems, warnings }: Findings,
): Field<unknown> {
  const place = written?.at ?? sectionAt ?? { line: 1, column: 1 };
  const complain: Complain = {
    problem: (message, at = place) => void problems.push({ ...at, message: `${path}: ${message}` }),
    warning: (message, at = place) => void warnings.push({ ...at, message: `${path}: ${message}` }),
  };
  const field = { ...complain, key, path, at: written?.at };
  if (written === undefined || isLeftOut(written, key)) {
    if ('required' in key && sectionAt !== undefined) complain.problem(`is missing: write ${key.required}`);
    return { ...field, state: 'absent', value: defaultOf(key) };
  }
  const before = problems.length;
  const value = checkOf(key)(written, complain);
  if (value === undefined || problems.length > before) return { ...field, state: 'bad', value: defaultOf(key) };
  return { ...field, state: 'given', value };
}

/**
 * A key without a value counts as absent, and so does an empty text, as in the Go program. Not so if the table has a problem
 * for an empty text, or for an empty list of networks.
 */
function isLeftOut(value: YamlValue, key: Key): boolean {
  const hasProblem = 'empty' in key;
  return value.kind === 'nothing' ? !(hasProblem && key.kind === 'networks') : asText(value) === '' && !hasProblem;
}

/** The default as the configuration has it: the table has it as the file would. */
function defaultOf(key: Key): unknown {
  return 'default' in key ? checkOf(key)(asWritten(key.default), { problem: noFault, warning: noFault }) : undefined;
}

function asWritten(plain: Plain): YamlValue {
  const at = { line: 1, column: 1 };
  if (typeof plain === 'object') return { kind: 'list', items: plain.map(asWritten), at };
  return { kind: 'scalar', value: plain, quoted: false, at };
}

function noFault(message: string): never {
  throw new Error(`a default of the table is wrong: ${message}`);
}

/** Warns of fields that the file has, but that have no effect. */
export function warnOfNoEffect(fields: readonly Field<unknown>[], why: string): void {
  for (const field of fields) if (field.state === 'given') field.warning(`has no effect ${why}`);
}

/** The settings of a section, without its TLS settings. `following` has the defaults that follow from other keys. */
export function settingsOf<N extends SectionName>(name: N, fields: Fields, following: Following<N>): SectionConfig<N> {
  return { ...following, ...valuesOf(fields[name], undefined) } as SectionConfig<N>;
}

/** The TLS settings of a section. */
export function tlsSettingsOf<N extends SectionName>(name: N, fields: Fields): TlsConfig<N> {
  return valuesOf(fields[name], 'tls') as TlsConfig<N>;
}

function valuesOf(fields: Fields[SectionName], group: 'tls' | undefined): Record<string, unknown> {
  const all = Object.entries<Field<unknown>>(fields);
  const inGroup = all.filter(([, { key, value }]) => key.group === group && value !== undefined);
  return Object.fromEntries(inGroup.map(([name, { value }]) => [name, value]));
}

function entriesOf(value: YamlValue, mustBe: string, { problems }: Findings): readonly YamlEntry[] {
  if (value.kind === 'section') return value.entries;
  if (value.kind !== 'nothing')
    problems.push({ ...value.at, message: `${mustBe}, not ${show(value)}${spaceHint(value)}` });
  return [];
}

function entryIn(entries: readonly YamlEntry[], name: string): YamlEntry | undefined {
  return entries.find(({ key }) => key === name);
}

/** YAML reads `port:8009` and `port=8009` as text. If the value is such a text, this returns what to write. */
function spaceHint(value: YamlValue): string {
  const [, key, word] = /^([a-z-]+)[:=]([^\s:]\S*)/.exec(asText(value) ?? '') ?? [];
  if (key === undefined || word === undefined) return '';
  return `; a key ends in a colon and a space: ${key}: ${quote(word).slice(1, -1)}`;
}

function reportUnknown(
  path: string,
  entries: readonly YamlEntry[],
  names: readonly string[],
  findings: Findings,
): void {
  for (const { key, keyAt } of entries) {
    if (names.includes(key)) continue;
    findings.problems.push({ ...keyAt, message: `${path}unknown key ${quote(key)}: ${suggestKey(key, names)}` });
  }
}

function suggestKey(key: string, names: readonly string[]): string {
  const [, name] = /^([a-z-]+)[:=]/.exec(key) ?? [];
  if (name !== undefined && names.includes(name))
    return `a key ends in a colon and a space, as in ${quote(`${name}: `)}`;
  const close = nearest(key, names);
  if (close !== undefined) return `did you mean ${quote(close)}?`;
  const elsewhere = nearest(key, Object.values(knownNames).flat());
  const homes = sectionNames.filter((section) => knownNames[section].some((other) => other === elsewhere));
  if (homes.length > 0) return `did you mean ${homes.map((section) => `${section}.${elsewhere ?? ''}`).join(' or ')}?`;
  return `the known keys are ${listOf(names)}`;
}

const listOf = (words: readonly string[]): string => words.join(', ');
