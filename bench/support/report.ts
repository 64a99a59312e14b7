import { type Measure, type Result, type Row, keepsBound } from './figure.js';
import type { Machine } from './machine.js';

/** The report for people, in Markdown: a heading and tables for each figure. */
export function toMarkdown(machine: Machine, results: readonly Result[]): string {
  const { cpu, cores, memoryGB, kernel, node, pinned } = machine;
  const cored = pinned ? 'service and load generator each on their own core' : 'the processes share all cores';
  const sections = results.map(({ name, title, rows }) => [`### ${name}`, '', title, '', ...tables(rows)].join('\n'));
  return [`${cpu}, ${cores} cores, ${memoryGB} GB, Linux ${kernel}, Node ${node}; ${cored}.`, ...sections].join('\n\n');
}

/** A sentence for each broken bound. */
export function brokenBounds(results: readonly Result[]): readonly string[] {
  return results.flatMap(({ name, rows }) =>
    rows.flatMap(({ label, measures }) =>
      measures
        .filter((measure) => !keepsBound(measure))
        .map((measure) => `${name}, ${label}: ${measure.name} is ${shown(measure)}, and must be ${bound(measure)}`),
    ),
  );
}

/** A table for each series of rows with the same columns. */
function tables(rows: readonly Row[]): string[] {
  const lines: string[] = [];
  let columns = '';
  for (const { label, measures } of rows) {
    const names = measures.map(({ name }) => name);
    if (columns !== names.join()) {
      if (columns !== '') lines.push('');
      columns = names.join();
      lines.push(line(['', ...names]), line(['---', ...names.map(() => '---:')]));
    }
    lines.push(line([label, ...measures.map(cell)]));
  }
  return lines;
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function cell(measure: Measure): string {
  const { atMost, below, atLeast } = measure;
  if (atMost === undefined && below === undefined && atLeast === undefined) return shown(measure);
  return keepsBound(measure)
    ? `${shown(measure)} (${bound(measure)})`
    : `**${shown(measure)}** (not ${bound(measure)})`;
}

function shown({ value, unit, digits = 0, spread }: Measure): string {
  if (typeof value === 'string') return value;
  const text = (number: number): string =>
    number.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const around = spread === undefined ? '' : ` [${text(spread[0])} to ${text(spread[1])}]`;
  return `${text(value)}${unit ? ` ${unit}` : ''}${around}`;
}

function bound({ atMost, atLeast, below = NaN }: Measure): string {
  if (atLeast !== undefined) return `≥ ${atLeast.toLocaleString('en')}`;
  return atMost === undefined ? `< ${below.toLocaleString('en')}` : `≤ ${atMost.toLocaleString('en')}`;
}
