import { fstatSync } from 'node:fs';
import type { LineLevel } from './levels.js';

/** The priorities of syslog (RFC 5424, section 6.2.1), as sd-daemon(3) has them at the beginning of a line. */
const PRIORITIES: Readonly<Record<LineLevel, number>> = { error: 3, warn: 4, info: 6, verbose: 7, debug: 7 };

/**
 * Does a descriptor lead to systemd's journal? The variable alone does not say it: whoever is started by a service
 * inherits it, with pipes and files of its own (systemd.exec(5), `$JOURNAL_STREAM`).
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

/** `<4>`: systemd takes it off the line, and sets the line's priority by it. */
export function priorityOf(level: LineLevel): string {
  return `<${PRIORITIES[level]}>`;
}
