import { isIPv6 } from 'node:net';
import type { Problem } from '../errors.js';
import { indentationFault } from './indentation.js';

/**
 * Characters that are invisible or look like a space: control and format characters, spaces other than the space (Unicode's
 * Zs, Zl, Zp), fillers, variation selectors, the blank of Braille. A tab is excluded below ({@link ALLOWED}): YAML's own
 * messages name it.
 */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/u;
const ALLOWED = ' \t';

/** Characters that word processors and chat programs put in place of typed quotes, hyphens and colons. */
const LOOKALIKES: readonly (readonly [pattern: RegExp, typed: string])[] = [
  [/[\u201c-\u201f\u00ab\u00bb\uff02]/u, '"'],
  [/[\u2018-\u201b\uff07]/u, "'"],
  [/[\u2010-\u2015\u2212\uff0d]/u, '-'],
  [/[\uff1a\ufe55\ua789\u2236]/u, ':'],
];

const NAMES: Readonly<Record<string, string>> = {
  '\r': 'carriage return',
  '\u00a0': 'no-break space',
  '\u00ad': 'soft hyphen',
  '\u200b': 'zero width space',
  '\u200c': 'zero width non-joiner',
  '\u200d': 'zero width joiner',
  '\u200e': 'left-to-right mark',
  '\u200f': 'right-to-left mark',
  '\u202f': 'narrow no-break space',
  '\u2028': 'line separator',
  '\u2060': 'word joiner',
  '\u3000': 'ideographic space',
  '\ufeff': 'byte order mark',
};

/** The beginning of each problem that the YAML parser has. */
const SYNTAX = 'not valid YAML: ';

/**
 * Adds a hint to each problem if its line shows what is wrong. A line that begins in a wrong column is the only problem: what
 * the parser says of the lines below it follows from that.
 */
export function withHints(text: string, problems: readonly Problem[]): readonly Problem[] {
  const plain = text.replace(/^\uFEFF/, '');
  const lines = plain.split('\n');
  for (const problem of problems.filter(({ message }) => message.startsWith(SYNTAX))) {
    const fault = indentationFault(plain, problem);
    if (fault === undefined) continue;
    const misleading = describeMisleading(lines[fault.line - 1] ?? '');
    return [{ ...fault, message: `${SYNTAX}${fault.message}${misleading === undefined ? '' : `; ${misleading}`}` }];
  }
  return problems.map((problem) => {
    const hint = hintFor(problem.message, lines[problem.line - 1] ?? '');
    return hint === undefined ? problem : { ...problem, message: `${problem.message}; ${hint}` };
  });
}

function hintFor(message: string, line: string): string | undefined {
  const misleading = describeMisleading(line);
  if (misleading !== undefined) return misleading;
  if (message.includes('unknown key')) return describeNonAscii(line);
  const address = addressWithFinalColons(line);
  // YAML reads an unquoted word that ends in a colon as a key
  if (address !== undefined && /not valid YAML|a section|a list/.test(message)) {
    return `write the address in quotes: "${address}"`;
  }
  const endpoint = bracketedAddress(line);
  if (endpoint !== undefined && /not valid YAML|a section|a list/.test(message)) {
    return `write the address in quotes: "${endpoint}"`; // YAML reads [ as the start of a list
  }
  if (/nested mappings|block collections are not allowed/.test(message)) {
    return 'a value with ": " or a colon at its end needs quotes, and lines of one section begin in the same column';
  }
  if (message.includes('alias cannot be an empty')) return 'put the value in quotes';
  if (message.includes('tabs are not allowed')) return 'write spaces';
  if (message.includes('implicit keys need to be')) return 'is a colon missing, or the space after it?';
  return undefined;
}

/** The first IPv6 address in a line that ends in colons and has no quotes, such as `::` or `2001:db8::`. */
function addressWithFinalColons(line: string): string | undefined {
  const words = line.replace(/#.*$/, '').split(/[\s,[\]{}]+/);
  return words.find((word) => word.endsWith('::') && isIPv6(word));
}

/** The first IPv6 address in brackets in a line that has no quotes around it, with its port, such as `[::1]:2379`. */
function bracketedAddress(line: string): string | undefined {
  const found = line.replace(/#.*$/, '').matchAll(/(?<!["'\w])\[([^\s"',[\]]+)\]:\d+/g);
  return [...found].find(([, address = '']) => isIPv6(address))?.[0];
}

/** `U+200B (zero width space)` */
function nameOf(character: string): string {
  const code = `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
  const name = NAMES[character];
  return name === undefined ? code : `${code} (${name})`;
}

/** The text with invisible characters as escapes of JSON: `po\u200brt`. */
export function escapeInvisible(text: string): string {
  return text.replace(new RegExp(INVISIBLE, 'gu'), (character) =>
    ALLOWED.includes(character)
      ? character
      : [...Array(character.length).keys()]
          .map((index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`)
          .join(''),
  );
}

/** Describes the first character in a line that is invisible or looks like another; `undefined` if there is none. */
function describeMisleading(line: string): string | undefined {
  let column = 1;
  for (const character of line.replace(/\r$/, '')) {
    if (INVISIBLE.test(character) && !ALLOWED.includes(character)) {
      return `${nameOf(character)} at column ${column} is invisible: remove it, or replace it by a space`;
    }
    const lookalike = LOOKALIKES.find(([pattern]) => pattern.test(character));
    if (lookalike) {
      const [, typed] = lookalike;
      return `${character} (${nameOf(character)}) at column ${column} only looks like ${typed}: type ${typed} instead`;
    }
    column += character.length;
  }
  return undefined;
}

/** Describes the first character of a key that is not ASCII, as in a Cyrillic `host`; `undefined` if there is none. */
function describeNonAscii(line: string): string | undefined {
  const [key = ''] = line.split(':');
  const index = key.search(/[^ -~]/);
  if (index === -1) return undefined;
  const character = String.fromCodePoint(key.codePointAt(index) ?? 0);
  return `${character} at column ${index + 1} is ${nameOf(character)}: keys have only ASCII letters`;
}
