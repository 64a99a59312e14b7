import { isIPv6 } from 'node:net';
import { foreignIn, oddIn } from './characters.js';
import type { Problem } from '../errors.js';

/** Each problem, with what the line it is in should have instead, where that can be told. */
export function withHints(text: string, problems: readonly Problem[]): readonly Problem[] {
  const lines = text.replace(/^\uFEFF/, '').split('\n');
  return problems.map((problem) => {
    const hint = hintFor(problem.message, lines[problem.line - 1] ?? '');
    return hint === undefined ? problem : { ...problem, message: `${problem.message}; ${hint}` };
  });
}

function hintFor(message: string, line: string): string | undefined {
  const odd = oddIn(line);
  if (odd !== undefined) return odd;
  if (message.includes('unknown key')) return foreignIn(line);
  const address = endingInColons(line);
  // To YAML a word that ends in a colon is a key, quoted or not
  if (address !== undefined && /not valid YAML|a section|a list/.test(message)) {
    return `write the address in quotes: "${address}"`;
  }
  if (/nested mappings|block collections are not allowed/.test(message)) {
    return 'a value with ": " or a colon at its end needs quotes, and lines of one section begin in the same column';
  }
  if (message.includes('alias cannot be an empty')) return 'put the value in quotes';
  if (message.includes('tabs are not allowed')) return 'write spaces';
  if (message.includes('implicit keys need to be')) return 'is a colon missing, or the space behind it?';
  return undefined;
}

/** The first IPv6 address of a line that ends in colons and is in no quotes, such as `::` or `2001:db8::`. */
function endingInColons(line: string): string | undefined {
  const words = line.replace(/#.*$/, '').split(/[\s,[\]{}]+/);
  return words.find((word) => word.endsWith('::') && isIPv6(word));
}
