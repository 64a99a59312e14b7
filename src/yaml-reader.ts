import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from 'yaml';
import type { Problem } from './errors.js';

/** Where something starts in the file: line and column, both from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
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

/** What the text holds. With `broken` the syntax is wrong somewhere, and `root` is nothing. */
export interface YamlReading {
  readonly root: YamlValue;
  readonly problems: readonly Problem[];
  readonly broken: boolean;
}

/** Sections within sections that are read: the file, its sections, their lists, the items. Deeper ones come out empty. */
const MAX_DEPTH = 4;

/**
 * Reads one YAML document. Never throws: syntax errors, duplicate keys, a second document, unknown tags and aliases
 * without an anchor are problems with a position. Values come out by the rules of YAML 1.2 (core schema), so that an
 * IPv6 address is never taken for a base-60 number as YAML 1.1 does, with 1.1's merge keys (`<<`).
 */
export function readYaml(text: string): YamlReading {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    schema: 'core',
    merge: true,
    prettyErrors: false, // the pretty form quotes the source, which may hold a pasted key
    uniqueKeys: false, // checked here, to name the first one as well
    logLevel: 'error', // 'silent' would swallow a second document,
  });
  const position = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const problems: Problem[] = [];
  const report = (at: Position, message: string): void => {
    problems.push({ ...at, message: message.replace(/\p{Cc}/gu, '?') }); // what it names may hold escape sequences
  };

  let broken = false;
  const linesWithError = new Set<number>(); // one slip makes the parser stumble several times in its line
  for (const { code, message, pos } of [...document.errors, ...document.warnings]) {
    const at = position(pos[0]);
    if (code === 'MULTIPLE_DOCS') {
      report(
        at,
        'a second document starts here: the file must hold one; remove this line or what does not belong here',
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

/** The parser's message without the source that it quotes at the end, in sentence case, with a hint where one helps. */
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

  /** The node that an alias stands for; `null` and a problem where nothing has that anchor. */
  const resolved = (node: unknown): unknown => {
    if (!isAlias(node)) return node;
    const target = node.resolve(document);
    if (target === undefined)
      report(startOf(node), `*${node.source} stands for nothing: no value is marked &${node.source}`);
    return target ?? null;
  };

  const entriesOf = (map: { items: Pair[] }, depth: number, merging: ReadonlySet<unknown>): YamlEntry[] => {
    const entries = new Map<string, YamlEntry>();
    const merged: YamlEntry[] = [];
    for (const pair of map.items) {
      const keyNode = resolved(pair.key);
      const keyAt = startOf(pair.key);
      if (!isScalar(keyNode)) {
        report(keyAt, 'a key must be a single word');
      } else if (keyNode.source === '<<') {
        merged.push(...mergedEntries(pair.value, depth, merging));
      } else {
        const key = keyNode.source ?? String(keyNode.value);
        const first = entries.get(key);
        if (first) report(keyAt, `duplicate key ${JSON.stringify(key)}: it is on line ${first.keyAt.line} already`);
        else entries.set(key, { key, keyAt, value: convert(pair.value ?? pair.key, depth + 1, pair.value === null) });
      }
    }
    for (const entry of merged) if (!entries.has(entry.key)) entries.set(entry.key, entry);
    return [...entries.values()];
  };

  const mergedEntries = (value: unknown, depth: number, merging: ReadonlySet<unknown>): YamlEntry[] => {
    const source = resolved(value);
    if (isSeq(source)) return source.items.flatMap((item) => mergedEntries(item, depth, merging));
    if (isMap(source) && !merging.has(source)) return entriesOf(source, depth, new Set([...merging, source]));
    report(startOf(value), '<< takes the keys of another section: write an alias, such as *name');
    return [];
  };

  const convert = (node: unknown, depth: number, absent = false): YamlValue => {
    const at = startOf(node); // of an alias, not of what it stands for: there the mistake was made
    const target = absent ? null : resolved(node);
    if (isMap(target)) {
      const entries = depth < MAX_DEPTH ? entriesOf(target, depth, new Set([target])) : [];
      return { kind: 'section', entries, at };
    }
    if (isSeq(target)) {
      return { kind: 'list', items: depth < MAX_DEPTH ? target.items.map((item) => convert(item, depth + 1)) : [], at };
    }
    if (!isScalar(target) || target.value === null || target.value === undefined) return { kind: 'nothing', at };
    const { value, type } = target;
    // The core schema knows no others; a tag that makes one is reported by the parser.
    const isPlainValue = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
    return { kind: 'scalar', value: isPlainValue ? value : '', quoted: type !== 'PLAIN', at };
  };
  return convert;
}
