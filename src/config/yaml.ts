import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  visit,
} from 'yaml';
import type { Problem } from '../errors.js';
import { positionAt } from './text-position.js';
import { nestedBeyond } from './yaml-nesting.js';

/** Where something starts in the file: line and column, both from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
  /** The variable of the environment that it comes from, in place of the file. */
  readonly variable?: string;
}

/** One `key: value` of a section. */
export interface YamlEntry {
  readonly key: string;
  readonly keyAt: Position;
  readonly value: YamlValue;
}

/** A value of the file with its position; aliases and merge keys are resolved. `nothing` is null or no value at all. */
export type YamlValue =
  | { readonly kind: 'nothing'; readonly at: Position }
  | {
      readonly kind: 'scalar';
      readonly value: string | number | boolean;
      /** Written in quotes or as a block, so meant as text: `"8008"`, `'yes'`. */
      readonly quoted: boolean;
      readonly at: Position;
    }
  | { readonly kind: 'list'; readonly items: readonly YamlValue[]; readonly at: Position }
  | { readonly kind: 'section'; readonly entries: readonly YamlEntry[]; readonly at: Position };

/** What the text contains. If `broken`, the syntax is wrong somewhere, and `root` is nothing. */
export interface YamlReading {
  readonly root: YamlValue;
  readonly problems: readonly Problem[];
  readonly broken: boolean;
}

/**
 * patroniglue does not read a file with more bytes: reading blocks the event loop, and so every reply. The example has 7 kB.
 */
const MAX_BYTES = 65_536;

/** Most levels of nested collections. The configuration needs five. */
const MAX_NESTING = 20;

/** Levels that are read: the file, its sections, their subsections, the lists in these. Deeper collections come out empty. */
const MAX_DEPTH = 4;

/**
 * Most values that are read. A file of {@link MAX_BYTES} cannot contain more. But aliases of aliases can stand for any
 * number of values, and the `yaml` package limits them only if it converts a document itself.
 */
const MAX_VALUES = MAX_BYTES;

/** Most levels of merge keys: a section that takes the keys of a section that takes the keys of another, and so on. */
const MAX_MERGES = 20;

/**
 * Reads one YAML document. Never throws. These are problems with a position: syntax errors, duplicate keys, a second
 * document, unknown tags, aliases without an anchor, and a file that would take too long to read.
 *
 * Values follow the rules of YAML 1.2 (core schema): in YAML 1.1, an IPv6 address may be a base-60 number. Merge keys
 * (`<<`), which only YAML 1.1 has, are supported.
 */
export function readYaml(text: string): YamlReading {
  const excess = excessOf(text);
  if (excess) {
    const at = positionAt(text, excess.offset);
    return { root: { kind: 'nothing', at }, problems: [{ ...at, message: excess.message }], broken: true };
  }
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    schema: 'core',
    merge: true,
    prettyErrors: false, // the pretty form quotes the source, which may hold a pasted key
    uniqueKeys: false, // checked below, to name the first key's line as well
    logLevel: 'error', // 'silent' would hide a second document
  });
  const position = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const problems: Problem[] = [];
  const report = (at: Position, message: string): void => {
    problems.push({ ...at, message: message.replace(/\p{Cc}/gu, '?') }); // the quoted name may contain escape sequences
  };

  let broken = false;
  const linesWithError = new Set<number>(); // one mistake may cause several errors in its line
  for (const { code, message, pos } of [...document.errors, ...document.warnings]) {
    const at = position(pos[0]);
    if (code === 'MULTIPLE_DOCS') {
      report(
        at,
        'a second document starts here: the file must have only one document; remove this line, or the other document',
      );
      continue;
    }
    broken = true;
    if (!linesWithError.has(at.line)) report(at, `not valid YAML: ${plainMessage(code, message)}`);
    linesWithError.add(at.line);
  }
  const root: YamlValue = broken
    ? { kind: 'nothing', at: position(0) }
    : createConverter(document, position, report)(document.contents, 0);
  return { root, problems, broken };
}

/** Why a text is too large or too deep to be read, and the offset of this place; `undefined` if it is neither. */
function excessOf(text: string): { readonly offset: number; readonly message: string } | undefined {
  if (Buffer.byteLength(text) > MAX_BYTES) {
    return { offset: 0, message: `the file has more than ${MAX_BYTES / 1024} KiB: is it a configuration?` };
  }
  const offset = nestedBeyond(text, MAX_NESTING);
  return offset === undefined ? undefined : { offset, message: `nested more than ${MAX_NESTING} levels deep` };
}

/** The parser's message without the source that it quotes at the end, beginning in lower case, with a hint if one helps. */
function plainMessage(code: string, message: string): string {
  const text = message.replace(/: ".*$/s, '').replace(/^[A-Z](?=[a-z])/, (letter) => letter.toLowerCase());
  return code === 'BAD_SCALAR_START' ? `${text}; put the value in quotes` : text;
}

type Convert = (node: unknown, depth: number) => YamlValue;

function createConverter(
  document: Document.Parsed,
  position: (offset: number) => Position,
  report: (at: Position, message: string) => void,
): Convert {
  const startOf = (node: unknown): Position => position((node as Node | null)?.range?.[0] ?? 0);

  const targets = targetsOf(document);
  let values = 0;
  /** False if there are too many values, which is reported once. */
  const isWithinBounds = (node: unknown): boolean => {
    values += 1;
    if (values === MAX_VALUES) {
      report(
        startOf(node),
        `the aliases here make more than ${MAX_VALUES} values: write the values in place of the aliases`,
      );
    }
    return values < MAX_VALUES;
  };

  /** The node that an alias stands for. If no node has that anchor, a problem is reported, and the result is `null`. */
  const resolved = (node: unknown): unknown => {
    if (!isAlias(node)) return node;
    const target = targets.get(node);
    if (target === undefined)
      report(startOf(node), `no value has the anchor &${node.source}, to which *${node.source} refers`);
    return target ?? null;
  };

  const entriesOf = (map: { items: Pair[] }, depth: number, merging: ReadonlySet<unknown>): YamlEntry[] => {
    const entries = new Map<string, YamlEntry>();
    const merged: YamlEntry[] = [];
    for (const pair of map.items) {
      if (!isWithinBounds(pair.key)) break;
      const keyNode = resolved(pair.key);
      const keyAt = startOf(pair.key);
      if (!isScalar(keyNode)) {
        report(keyAt, 'a key must be a single word');
      } else if (keyNode.source === '<<') {
        for (const entry of mergedEntries(pair.value, depth, merging)) merged.push(entry);
      } else {
        const key = keyNode.source ?? String(keyNode.value);
        const first = entries.get(key);
        if (first) report(keyAt, `duplicate key ${JSON.stringify(key)}: it is already on line ${first.keyAt.line}`);
        else entries.set(key, { key, keyAt, value: convert(pair.value ?? pair.key, depth + 1, pair.value === null) });
      }
    }
    for (const entry of merged) if (!entries.has(entry.key)) entries.set(entry.key, entry);
    return [...entries.values()];
  };

  const mergedEntries = (value: unknown, depth: number, merging: ReadonlySet<unknown>): YamlEntry[] => {
    if (merging.size > MAX_MERGES) {
      report(startOf(value), `merge keys (<<) are nested more than ${MAX_MERGES} levels deep`);
      return [];
    }
    const source = resolved(value);
    const merged: YamlEntry[] = [];
    for (const item of isSeq(source) ? source.items : [value]) {
      if (!isWithinBounds(item)) break;
      const section = resolved(item);
      if (isMap(section) && !merging.has(section)) {
        for (const entry of entriesOf(section, depth, new Set([...merging, section]))) merged.push(entry);
      } else {
        report(startOf(item), '<< takes the keys of another section: write an alias, such as *name');
      }
    }
    return merged;
  };

  const convert = (node: unknown, depth: number, absent = false): YamlValue => {
    const at = startOf(node); // for an alias, its own position, because the mistake is there
    const target = absent || !isWithinBounds(node) ? null : resolved(node);
    if (isMap(target)) {
      const entries = depth < MAX_DEPTH ? entriesOf(target, depth, new Set([target])) : [];
      return { kind: 'section', entries, at };
    }
    if (isSeq(target)) {
      return { kind: 'list', items: depth < MAX_DEPTH ? target.items.map((item) => convert(item, depth + 1)) : [], at };
    }
    if (!isScalar(target) || target.value === null || target.value === undefined) return { kind: 'nothing', at };
    const { value, type } = target;
    // The core schema has no other types. The parser reports a tag that makes one.
    const isPlainValue = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
    return { kind: 'scalar', value: isPlainValue ? value : '', quoted: type !== 'PLAIN', at };
  };
  return convert;
}

/** The node that each alias stands for: the last node before it with that anchor. One walk for all aliases. */
function targetsOf(document: Document.Parsed): ReadonlyMap<Alias, unknown> {
  const anchors = new Map<string, unknown>();
  const targets = new Map<Alias, unknown>();
  visit(document, {
    Node: (_key, node) => {
      if (isAlias(node)) targets.set(node, anchors.get(node.source));
      else if (node.anchor !== undefined) anchors.set(node.anchor, node);
    },
  });
  return targets;
}
