import winston from 'winston';
import { priorityOf } from './journal.js';
import type { LineLevel, LogLevel } from './levels.js';
import type { LogOutput } from './output.js';

/** Lines of text for people, or a JSON object a line. */
export type LogFormat = 'text' | 'json';

/** The facts of an event, for machines. Figures are rounded to a useful precision; a field's name ends in its unit. */
type LineFields = Readonly<Record<string, unknown>> & { readonly event: string };

/** Writes lines. */
export interface Log {
  /** Writes a message. It may hold any text of a client or an upstream: winston expands nothing in it. */
  write(level: LineLevel, message: string, fields: LineFields): void;
  /** True if requests are logged. */
  isVerbose(): boolean;
  /** Sets the format of all further lines. */
  use(format: LogFormat): void;
}

/** Where lines go. */
export interface LogTarget extends Pick<LogOutput, 'stream'> {
  /** The lines go to systemd's journal, which adds the time itself and reads a line's priority. */
  readonly isJournal?: boolean;
}

const { combine, json, printf, timestamp } = winston.format;

const MESSAGE = Symbol.for('message');

/**
 * The log: one line for each event, with the time in ISO 8601 and milliseconds. A line is text, or JSON with the event's
 * fields for machines. For systemd's journal, each line begins with its priority, and text lines have no time.
 */
export function createLog(level: LogLevel, format: LogFormat, target: LogTarget): Log {
  const formatOf = (next: LogFormat): winston.Logform.Format => lineFormat(next, target.isJournal ?? false);
  const logger = winston.createLogger({
    level,
    format: formatOf(format),
    // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- two typings of one class
    transports: [new winston.transports.Stream({ stream: target.stream, eol: '\n' })],
  });
  return {
    write(lineLevel, message, fields) {
      if (!logger.isLevelEnabled(lineLevel)) return; // winston itself formats a line before it looks at the level
      // Pass one object: winston's `log(level, message, fields)` looks for %s in the message, and drops all fields if it
      // finds one.
      logger.log({ ...fields, level: lineLevel, message });
    },
    isVerbose: () => logger.isVerboseEnabled(),
    use(next) {
      logger.format = formatOf(next);
    },
  };
}

function lineFormat(format: LogFormat, isJournal: boolean): winston.Logform.Format {
  const lines = format === 'json' ? combine(json(), printableLine()) : text(!isJournal);
  return isJournal ? combine(timestamp(), lines, withPriority()) : combine(timestamp(), lines);
}

/** Text: one line for each event, whatever text of an upstream or a client the message holds. */
const text = (hasTime: boolean): winston.Logform.Format =>
  printf(({ timestamp: at, level, message }) => {
    const line = `${level}: ${printable(String(message))}`;
    return hasTime ? `${String(at)} ${line}` : line;
  });

/** JSON escapes most control characters, but not those from U+007F to U+009F. */
const printableLine = winston.format((info) => {
  info[MESSAGE] = printable(String(info[MESSAGE]));
  return info;
});

const withPriority = winston.format((info) => {
  info[MESSAGE] = `${priorityOf(info.level as LineLevel)}${String(info[MESSAGE])}`;
  return info;
});

/** Escapes control characters and line ends, so that no message can forge a log line or send commands to a terminal. */
function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\u2028\u2029]/gu,
    (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
