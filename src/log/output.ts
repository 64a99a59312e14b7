import { performance } from 'node:perf_hooks';
import { Writable } from 'node:stream';
import sonicBoom from 'sonic-boom';
import { isJournal } from './journal.js';

/** The most bytes of lines that wait while the reader does not read. Further lines are dropped and counted. */
const MAX_WAITING_BYTES = 1024 * 1024;

/**
 * PIPE_BUF: a pipe takes a write of this size completely or not at all. A larger write may be split: if the reader is
 * replaced between two parts, or the process ends, a line is cut in the middle.
 */
const MAX_WRITE_BYTES = 4096;

/** The pause before another attempt after a failed write: the disk was full, or a named pipe had no reader. */
const RETRY_MS = 1000;

/** How often the number of dropped lines is reported while the reader reads, but too slowly. */
const REPORT_EVERY_MS = 1000;

/** A bounded, asynchronous writer of log lines. */
export interface LogOutput {
  /** Takes lines. Writing to it never waits. */
  readonly stream: Writable;
  /** True if the lines go to systemd's journal. */
  readonly isJournal: boolean;
  /** How many lines were dropped so far. */
  dropped(): number;
  /** `listener` is called when the reader reads again, with the number of lines dropped in the gap: once, before later lines. */
  onDropped(listener: (lines: number) => void): void;
  /** Writes the waiting lines, for at most `withinMs`. */
  flush(withinMs: number): Promise<void>;
}

/**
 * Writes log lines to standard output in the background, one write at a time. Waiting lines are in a bounded buffer, so that
 * a stopped reader, a full disk or a closed pipe does not delay replies.
 */
export function createLogOutput(): LogOutput {
  let reportDropped: (lines: number) => void = () => undefined;
  // Reading process.stdout makes Node open it and set a pipe or socket to non-blocking. Otherwise a write to a full pipe
  // would occupy a thread of libuv's pool, as a write to a stopped terminal or disk does (see `leave` in main.ts).
  const { fd } = process.stdout;
  const boom = new sonicBoom.SonicBoom({
    fd,
    sync: false,
    maxLength: MAX_WAITING_BYTES,
    maxWrite: MAX_WRITE_BYTES,
    // sonic-boom repeats a failed write only with the next line, but a full buffer takes no line. This flush ends the deadlock.
    periodicFlush: RETRY_MS,
  });
  let dropped = 0;
  let reportedAtMs = -Infinity;
  const report = (): void => {
    const lines = dropped;
    dropped = 0;
    reportDropped(lines);
    if (dropped > 0) dropped = lines; // the buffer had no room for the report either
    reportedAtMs = performance.now();
  };
  let everDropped = 0;
  boom.on('drop', () => {
    dropped += 1;
    everDropped += 1;
  });
  // Report at the first progress: then the report stands directly after the last line before the gap.
  boom.on('write', () => {
    if (dropped > 0 && performance.now() - reportedAtMs >= REPORT_EVERY_MS) report();
  });
  boom.on('drain', () => {
    if (dropped > 0) report();
  });
  boom.on('error', () => {
    // Nothing to do: there is no reader (EPIPE) or no space (ENOSPC) for an error message. The buffer is bounded.
  });
  return {
    stream: new Writable({
      decodeStrings: false,
      write(line: string, _encoding, done) {
        boom.write(line);
        done();
      },
    }),
    isJournal: isJournal(fd),
    dropped: () => everDropped,
    onDropped(listener) {
      reportDropped = listener;
    },
    flush: (withinMs) =>
      new Promise((resolve) => {
        const timer = setTimeout(resolve, withinMs);
        boom.flush(() => {
          clearTimeout(timer);
          resolve();
        });
      }),
  };
}
