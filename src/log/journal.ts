import { fstatSync } from 'node:fs';
import type { LineLevel } from './levels.js';

/** The priorities of syslog (RFC 5424, section 6.2.1). sd-daemon(3) defines how a line begins with one. */
const PRIORITIES: Readonly<Record<LineLevel, number>> = { error: 3, warn: 4, info: 6, verbose: 7, debug: 7 };

/**
 * True if a descriptor leads to systemd's journal. The variable alone does not prove it: each process that a service starts
 * inherits the variable, even if its output goes to a pipe or a file (systemd.exec(5), `$JOURNAL_STREAM`).
 *
 * @param journalStream device and inode of the journal's stream, `8:1234`
 */
export function isJournal(fd: number, journalStream = process.env['JOURNAL_STREAM']): boolean {
  if (journalStream === undefined) return false;
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    return journalStream === `${dev}:${ino}`;
  } catch {
    return false; // closed
  }
}

/** `<4>`: systemd removes this prefix from the line and sets the line's priority. */
export function priorityOf(level: LineLevel): string {
  return `<${PRIORITIES[level]}>`;
}
