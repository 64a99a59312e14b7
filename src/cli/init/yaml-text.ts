import { parse } from 'yaml';
import { escapeInvisible } from '../../config/hints.js';

const WIDTH = 100;

/** A text as a comment: lines of at most 100 characters, if its words allow it. */
export function comment(text: string, indent = 0): readonly string[] {
  const start = `${' '.repeat(indent)}#`;
  const lines: string[] = [];
  let line = start;
  for (const word of plain(text).split(' ')) {
    if (line !== start && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = start;
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}

/** Lines as comments, each as it is. */
export function commented(lines: readonly string[]): readonly string[] {
  return lines.map((line) => `# ${plain(line)}`.trimEnd());
}

/** `key: value` */
export function keyLine(indent: number, key: string, value: string | number | boolean): string {
  return `${' '.repeat(indent)}${key}: ${scalar(value)}`;
}

/** `- value` for each value. */
export function listLines(indent: number, values: readonly string[]): readonly string[] {
  return values.map((value) => `${' '.repeat(indent)}- ${scalar(value)}`);
}

/** A value in YAML, in quotes if it needs them. */
function scalar(value: string | number | boolean): string {
  if (typeof value !== 'string') return String(value);
  return isPlain(value) ? value : escapeInvisible(JSON.stringify(value));
}

/** True for a text that YAML reads as this very text without quotes. */
function isPlain(text: string): boolean {
  if (!/^[\w/][\w./:?=&%+-]*$/.test(text) || text.endsWith(':')) return false;
  return parse(text, { schema: 'core' }) === text;
}

/** A text without line feeds and other characters that are not seen. */
function plain(text: string): string {
  return escapeInvisible(text);
}
