/** What the YAML parser (`yaml` 2.9) says of a line that begins in a wrong column. It names this line, or the one before it. */
const ABOUT_INDENTATION =
  /nested mappings|block collections are not allowed|must start at the same column|as an implicit map key|unexpected scalar/i;

/** A place in a file, and what is wrong there. Line and column count from 1. */
interface Fault {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/**
 * An error of the YAML parser in better words, if a line begins in a wrong column: at this line, with the column in which it
 * should begin. `undefined` for any other error.
 */
export function indentationFault(text: string, { line, message }: Fault): Fault | undefined {
  if (!ABOUT_INDENTATION.test(message)) return undefined;
  const lines = writtenLines(text);
  const next = lines.find((one) => one.line > line)?.line;
  const found = misplacedLines(lines).find((one) => one.line === line || one.line === next);
  if (found === undefined) return undefined;
  const { column, expected } = found;
  return {
    ...{ line: found.line, column },
    message: `this line begins in column ${column}, the others of its section or list in column ${expected}`,
  };
}

interface WrittenLine {
  readonly line: number;
  readonly column: number;
  /** A section, a list or a text may begin below it. */
  readonly opens: boolean;
}

/** The lines that are not empty, nor only a comment. */
function writtenLines(text: string): readonly WrittenLine[] {
  return text.split(/\r?\n/).flatMap((line, index) => {
    const written = line.replace(/(?:^|\s)#.*$/, '').trimEnd();
    const opens = /:(?:\s+(?:[|>][-+\d]*|[&!]\S*))?$/.test(written);
    return written === '' ? [] : [{ line: index + 1, column: written.search(/\S/) + 1, opens }];
  });
}

interface Misplaced {
  readonly line: number;
  readonly column: number;
  /** The column of the lines that it most likely belongs to. */
  readonly expected: number;
}

/** Lines that begin further right than the line above, which opens nothing, or further left, and in no column of those above. */
function misplacedLines(lines: readonly WrittenLine[]): readonly Misplaced[] {
  const found: Misplaced[] = [];
  const columns: number[] = []; // of the sections that are open, the innermost last
  let opens = true;
  for (const { line, column, opens: opensMore } of lines) {
    const innermost = columns.at(-1) ?? 0;
    let closed: number | undefined;
    while (column < (columns.at(-1) ?? 0)) closed = columns.pop();
    if (column > innermost && !opens) found.push({ line, column, expected: innermost });
    else if (closed !== undefined && column !== columns.at(-1)) found.push({ line, column, expected: closed });
    if (column !== columns.at(-1)) columns.push(column);
    opens = opensMore;
  }
  return found;
}
