import type { WriteStream } from 'node:tty';

/** Lines that are redrawn in place, below what the terminal shows already. */
export interface Screen {
  draw(lines: readonly string[]): void;
  /** Leaves the last picture and gives the cursor back. */
  end(): void;
}

/** The cursor comes back however the process exits. */
export function createScreen(terminal: WriteStream): Screen {
  let drawn = 0;
  const showCursor = (): void => {
    terminal.write('\u001b[?25h');
  };
  terminal.write('\u001b[?25l');
  process.once('exit', showCursor);
  return {
    draw: (lines) => {
      const up = drawn > 0 ? `\u001b[${drawn}A` : '';
      terminal.write(`${up}\r${lines.map((line) => `${line}\u001b[K\n`).join('')}\u001b[J`);
      drawn = lines.length;
    },
    end: () => {
      process.removeListener('exit', showCursor);
      showCursor();
    },
  };
}
