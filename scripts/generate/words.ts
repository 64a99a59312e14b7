import { settingsIn } from '../../src/config/changed-keys.js';
import type { Key, Kind, ListedKey, Plain } from '../../src/config/keys.js';
import { parseConfig } from '../../src/config/parse.js';

/** The configuration of a file without keys. */
const defaults = parseConfig({ text: '{}', file: '{}', nowMs: 0, readFile: () => '' });

/** The default of a key, as the file would have it; `undefined` if the key has no default. */
export function defaultOf({ section, field, key }: ListedKey): Plain | undefined {
  if ('default' in key) return key.default;
  if ('absent' in key || 'required' in key) return undefined;
  const value = settingsIn(defaults, section)[field] as Plain;
  return key.kind === 'seconds' ? Number(value) / 1000 : value;
}

/** The default in words. Code is in backticks. */
export function defaultInWords(listed: ListedKey): string {
  const { key } = listed;
  if ('absent' in key) return key.absent;
  if ('required' in key) return 'none (required)';
  if ('follows' in key) return `${key.follows} (${code(defaultOf(listed))})`;
  if (key.inWords !== undefined) return key.inWords;
  if (typeof key.default === 'object') return key.default.map(code).join(', ');
  return key.kind === 'log line' ? code(JSON.stringify(key.default)) : code(key.default);
}

function code(value: Plain | undefined): string {
  return typeof value === 'number' ? String(value) : `\`${String(value)}\``;
}

/** The bounds of a number: `0.01 to 5`; `undefined` for other kinds. */
export function boundsOf(key: Key): string | undefined {
  return 'min' in key ? `${key.min} to ${key.max}` : undefined;
}

const KINDS: Readonly<Record<Kind['kind'], string>> = {
  host: 'name or address',
  endpoints: 'list of hosts with ports',
  'endpoint or none': 'host and port, or `none`',
  'whole number': 'whole number',
  seconds: 'seconds',
  boolean: '`true` or `false`',
  word: 'one word',
  file: 'PEM file',
  'password file': 'file',
  text: 'text',
  'key prefix': 'path in the DCS',
  'log line': 'text',
  'TLS version': 'TLS version',
  ciphers: 'list of ciphers, or a cipher string',
  route: 'route',
  routes: 'list of routes',
  networks: 'list of networks',
};

/** The kind of a key's value, in a few words. Code is in backticks. */
export function kindInWords(key: Key): string {
  if (key.kind === 'word') return orList(key.words.map(code));
  const bounds = boundsOf(key);
  return bounds === undefined ? KINDS[key.kind] : `${KINDS[key.kind]}, ${bounds}`;
}

/** `a, b or c` */
function orList(words: readonly string[]): string {
  return words.join(', ').replace(/, (?=[^,]*$)/, ' or ');
}

/** The text without the backticks around code, for files that are not Markdown. */
export function withoutBackticks(text: string): string {
  return text.replaceAll('`', '');
}

/** Breaks a text into lines of at most `width` columns. Each begins with `prefix`. */
export function wrap(text: string, prefix: string, width = 100): string {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && `${last} ${word}`.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(prefix + word);
  }
  return lines.join('\n');
}
