import { performance } from 'node:perf_hooks';
import { Writable } from 'node:stream';
import sonicBoom from 'sonic-boom';
import { isJournal } from './journal.js';

/** Lines that wait for a reader that stopped take up to so many bytes; what comes on top is dropped and counted. */
const MAX_WAITING_BYTES = 1024 * 1024;

/**
 * PIPE_BUF: a pipe takes so much at once or not at all. More would be written in parts, and where the reader is replaced,
 * or the process ended, between two of them, a line would be cut in the middle.
 */
const MAX_WRITE_BYTES = 4096;

/** A disk that was full, or a named pipe without a reader, is tried again so often. */
const RETRY_MS = 1000;

/** How often the count is told to a reader that is there, but reads less than is written. */
const TELL_EVERY_MS = 1000;

/** A bounded, asynchronous writer of log lines. */
export interface LogOutput {
  /** Takes lines and never makes the writer wait. */
  readonly stream: Writable;
  /** They go to systemd's journal. */
  readonly isJournal: boolean;
  /** How many lines were dropped so far. */
  dropped(): number;
  /** Calls back when the reader is there again, with how many lines were dropped meanwhile: one call, at their place. */
  onDropped(listener: (lines: number) => void): void;
  /** Writes what is waiting, for at most `withinMs`. */
  flush(withinMs: number): Promise<void>;
}

/**
 * Log lines to standard output, such that a reader that stopped, a full disk or a closed pipe delays no reply: writes
 * happen in the background, one at a time, and wait in a bounded buffer.
 */
export function createLogOutput(): LogOutput {
  let tellDropped: (lines: number) => void = () => undefined;
  // Looking at process.stdout makes Node open it, and set a pipe or socket to non-blocking. Without that a write to a
  // full pipe would hold a thread of libuv's pool, as one to a stopped terminal or disk does (see `leave` in main.ts).
  const { fd } = process.stdout;
  const boom = new sonicBoom.SonicBoom({
    fd,
    sync: false,
    maxLength: MAX_WAITING_BYTES,
    maxWrite: MAX_WRITE_BYTES,
    // A failed write is repeated with the next line, and a full buffer takes no next line: without this it would stay so.
    periodicFlush: RETRY_MS,
  });
  let dropped = 0;
  let toldMs = -Infinity;
  const tell = (): void => {
    const lines = dropped;
    dropped = 0;
    tellDropped(lines);
    if (dropped > 0) dropped = lines; // there was no room for that line either
    toldMs = performance.now();
  };
  let everDropped = 0;
  boom.on('drop', () => {
    dropped += 1;
    everDropped += 1;
  });
  // At the first progress: then the count comes after the last line before the gap, and not somewhere behind it.
  boom.on('write', () => {
    if (dropped > 0 && performance.now() - toldMs >= TELL_EVERY_MS) tell();
  });
  boom.on('drain', () => {
    if (dropped > 0) tell();
  });
  boom.on('error', () => {
    // Nobody is left to tell (EPIPE), or there is no room to tell it (ENOSPC): the buffer's bound does the rest.
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
      tellDropped = listener;
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
