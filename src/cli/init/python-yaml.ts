import { type ErrorCode, type ScalarTag, parseDocument } from 'yaml';
import { indentationFault } from '../../config/indentation.js';
import { positionAt } from '../../config/text-position.js';
import { nestedBeyond } from '../../config/yaml-nesting.js';
import { ConfigError } from '../../errors.js';

/** patroniglue does not read a larger file. A patroni.yml has some kilobytes. */
const MAX_BYTES = 262_144;

/** Most levels of nested collections. */
const MAX_NESTING = 50;

/** Most values that one alias may stand for, with all aliases in it. */
const MAX_ALIASES = 1000;

/** The keys of a section, as Patroni reads them. */
export type Section = Readonly<Record<string, unknown>>;

/**
 * Reads a YAML document as PyYAML's safe loader does, with which Patroni reads its files: YAML 1.1, so `on` is true, `010` is
 * 8 and `1:30` is 90. Of two equal keys the last one counts. A date stays the text that is written: no key of Patroni's that
 * patroniglue reads is one.
 *
 * @throws ConfigError with line and column of the first mistake. It never quotes the file, which holds passwords.
 */
export function readPythonYaml(file: string, text: string): Section {
  const fail = (offset: number, message: string): ConfigError =>
    new ConfigError(file, [{ ...positionAt(text, offset), message }]);
  if (Buffer.byteLength(text) > MAX_BYTES) {
    throw fail(0, `the file has more than ${MAX_BYTES / 1024} KiB: is it a configuration of Patroni?`);
  }
  const deepest = nestedBeyond(text, MAX_NESTING);
  if (deepest !== undefined) throw fail(deepest, `nested more than ${MAX_NESTING} levels deep`);
  const document = parseDocument(text, {
    version: '1.1',
    schema: 'failsafe',
    customTags: SCALARS,
    merge: true,
    uniqueKeys: false,
    prettyErrors: false, // the pretty form quotes the source
    logLevel: 'error', // 'silent' would hide a second document
  });
  const [error] = document.errors;
  if (error !== undefined) {
    const said = { ...positionAt(text, error.pos[0]), message: plainMessage(error) };
    const { message, ...at } = indentationFault(text, said) ?? said;
    throw new ConfigError(file, [{ ...at, message: `not valid YAML: ${message}` }]);
  }
  const value = convert(document, (message) => fail(0, message));
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Section;
  throw fail(0, 'the file must have keys, such as scope and restapi: is it a configuration of Patroni?');
}

function convert(document: ReturnType<typeof parseDocument>, fail: (message: string) => ConfigError): unknown {
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch {
    throw fail('an alias (*name) has no anchor, or aliases and merge keys (<<) cannot be resolved');
  }
}

/** Errors whose message holds a piece of the file. */
const WORDS: Readonly<Partial<Record<ErrorCode, string>>> = {
  BAD_DIRECTIVE: 'a line that begins with % is not a directive of YAML',
  BAD_DQ_ESCAPE: 'a backslash in double quotes begins no escape sequence of YAML',
  MULTIPLE_DOCS: 'the file must have only one document',
  TAG_RESOLVE_FAILED: 'a tag (a word that begins with !) is not known',
};

/** The parser's message without the piece of the file that may follow a colon or a quote. */
function plainMessage({ code, message }: { readonly code: ErrorCode; readonly message: string }): string {
  const plain = message.replace(/[:"`].*$/s, '').replace(/^[A-Z](?=[a-z])/, (letter) => letter.toLowerCase());
  return WORDS[code] ?? (code === 'TAB_AS_INDENT' ? `${plain}; write spaces` : plain);
}

/** The types that PyYAML's resolver gives to words without quotes (`yaml/resolver.py` of PyYAML 6.0), and their values. */
const SCALARS: ScalarTag[] = [
  scalar('null', /^(?:~|null|Null|NULL|)$/, () => null),
  scalar('bool', /^(?:yes|Yes|YES|true|True|TRUE|on|On|ON)$/, () => true),
  scalar('bool', /^(?:no|No|NO|false|False|FALSE|off|Off|OFF)$/, () => false),
  scalar(
    'int',
    /^[-+]?(?:0b[01_]+|0[0-7_]*|0x[0-9a-fA-F_]+|[1-9][0-9_]*|[1-9][0-9_]*(?::[0-5]?[0-9])+)$/,
    (text) => signOf(text) * whole(text.replace(/[-+_]/g, '')),
  ),
  scalar(
    'float',
    /^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*)$/,
    (text) => signOf(text) * sexagesimal(text.replace(/^[-+]|_/g, '')),
  ),
];

function scalar(type: string, test: RegExp, resolve: (text: string) => unknown): ScalarTag {
  return { tag: `tag:yaml.org,2002:${type}`, default: true, test, resolve };
}

const signOf = (text: string): number => (text.startsWith('-') ? -1 : 1);

function whole(digits: string): number {
  if (/^0[0-7]/.test(digits)) return parseInt(digits, 8);
  return digits.startsWith('0') ? Number(digits) : sexagesimal(digits);
}

/** `1:30` is 90: base 60, with which YAML 1.1 writes times. */
function sexagesimal(digits: string): number {
  return digits.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
}
