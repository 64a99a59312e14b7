import { Writable } from 'node:stream';
import sonicBoom from 'sonic-boom';

/** Lines that wait for a reader that stopped take up to so many bytes; what comes on top is dropped and counted. */
const MAX_WAITING_BYTES = 1024 * 1024;

/** A bounded, asynchronous writer of log lines. */
export interface LogOutput {
  /** Takes lines and never makes the writer wait. */
  readonly stream: Writable;
  /** Writes what is waiting, for at most `withinMs`. */
  flush(withinMs: number): Promise<void>;
}

/**
 * Log lines to standard output, such that a reader that stopped, a full disk or a closed pipe delays no reply: writes
 * happen in the background, one at a time, and wait in a bounded buffer.
 *
 * @param onDropped told, when the reader is back, how many lines were dropped meanwhile
 */
export function createLogOutput(onDropped: (lines: number) => void): LogOutput {
  // Looking at process.stdout makes Node open it, and set a pipe or socket to non-blocking. Without that a write to a
  // full pipe would hold a thread of libuv's pool, as one to a stopped terminal or disk does (see `leave` in main.ts).
  const { fd } = process.stdout;
  const boom = new sonicBoom.SonicBoom({ fd, sync: false, maxLength: MAX_WAITING_BYTES });
  let dropped = 0;
  boom.on('drop', () => {
    dropped += 1;
  });
  boom.on('drain', () => {
    const lines = dropped;
    dropped = 0;
    if (lines > 0) onDropped(lines);
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
