import { type Problem } from '../errors.js';
import { type YamlEntry, readYaml } from './yaml.js';

/** What a file no longer has since it was read before. */
export interface Losses {
  /** True if the file had keys, and now has none. */
  readonly isAll: boolean;
  /** One line for each warning, with the file's name: `config.yml:3:8: ...`. */
  readonly warnings: readonly string[];
}

/**
 * Compares a file with what it was before, and reports what looks like an accident: a section without keys, or a last line
 * without a line feed. A file that is half written, or copied to a full disk, is often valid YAML. A single key that is
 * missing is a normal edit.
 */
export function lossesOf(file: string, before: string, after: string): Losses {
  const [former, present] = [keysIn(before), keysIn(after)];
  const sections = [...former].filter(([name]) => !present.has(name));
  const warnings = sections.map(
    ([name, keys]) =>
      `${file}: the file no longer has any key of the section ${name} (before: ${keys.join(', ')}); ` +
      'patroniglue uses the defaults',
  );
  const cutOff = cutOffIn(after);
  if (cutOff && before.endsWith('\n')) {
    const keys = [...former].flatMap(([name, names]) =>
      names.filter((key) => present.get(name)?.includes(key) === false).map((key) => `${name}.${key}`),
    );
    const gone = keys.length > 0 ? `; no longer in the file: ${keys.join(', ')}` : '';
    warnings.unshift(`${file}:${cutOff.line}:${cutOff.column}: ${cutOff.message}${gone}`);
  }
  return { isAll: former.size > 0 && present.size === 0, warnings };
}

/** Reports a last line without a line feed: the file may be cut off. Some tools always write such files. */
export function cutOffIn(text: string): Problem | undefined {
  if (text === '' || text.endsWith('\n')) return undefined;
  const lines = text.split('\n');
  const column = (lines.at(-1) ?? '').length + 1;
  return {
    line: lines.length,
    column,
    message: 'the last line does not end with a line feed: is the file cut off here?',
  };
}

/** The sections of a text that have a key with a value, and those keys. A key of a subsection is `etcd3.hosts`. */
function keysIn(text: string): ReadonlyMap<string, readonly string[]> {
  const { root } = readYaml(text);
  const entriesOf = (value: YamlEntry['value']): readonly YamlEntry[] =>
    value.kind === 'section' ? value.entries.filter((entry) => entry.value.kind !== 'nothing') : [];
  const namesIn = (section: YamlEntry['value']): readonly string[] =>
    entriesOf(section).flatMap(({ key, value }) =>
      value.kind === 'section' ? namesIn(value).map((name) => `${key}.${name}`) : [key],
    );
  const keys = entriesOf(root).map(({ key, value }) => [key, namesIn(value)] as const);
  return new Map(keys.filter(([, names]) => names.length > 0));
}
