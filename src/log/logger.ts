import winston from 'winston';
import { priorityOf } from './journal.js';
import type { LineLevel, LogLevel } from './levels.js';
import type { LogOutput } from './output.js';

/** Lines of text for people, or an object of JSON each. */
export type LogFormat = 'text' | 'json';

/** The facts of an event, for machines. Figures are rounded to what they mean; a unit is in the name. */
type LineFields = Readonly<Record<string, unknown>> & { readonly event: string };

/** Writes lines. */
export interface Log {
  /** The message is taken as it is, whatever a client or an upstream put into it. */
  write(level: LineLevel, message: string, fields: LineFields): void;
  /** Are requests logged? */
  isVerbose(): boolean;
  /** Lines are written so from now on. */
  use(format: LogFormat): void;
}

/** Where lines go, and what is known of their reader. */
export interface LogTarget extends Pick<LogOutput, 'stream'> {
  /** It is systemd's journal: it has the time of a line already, and takes its priority. */
  readonly isJournal?: boolean;
}

const { combine, json, printf, timestamp } = winston.format;

const MESSAGE = Symbol.for('message');

/**
 * The log: one line an event, with the time in ISO 8601 and milliseconds; as text, or as JSON with the event's fields for
 * machines. In systemd's journal each begins with its priority, and text has no time of its own.
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
      // One object: in `log(level, message, fields)` winston looks for %s in the message, and drops all fields where it finds one.
      logger.log({ ...fields, level: lineLevel, message });
    },
    isVerbose: () => logger.isVerboseEnabled(),
    use(next) {
      logger.format = formatOf(next);
    },
  };
}

function lineFormat(format: LogFormat, isJournal: boolean): winston.Logform.Format {
  if (!isJournal) return combine(timestamp(), format === 'json' ? json() : text(true));
  return combine(timestamp(), format === 'json' ? json() : text(false), withPriority());
}

/** Lines of text are one line each, whatever an upstream or a client put into them. */
const text = (hasTime: boolean): winston.Logform.Format =>
  printf(({ timestamp: at, level, message }) => {
    const line = `${level}: ${printable(String(message))}`;
    return hasTime ? `${String(at)} ${line}` : line;
  });

const withPriority = winston.format((info) => {
  info[MESSAGE] = `${priorityOf(info.level as LineLevel)}${String(info[MESSAGE])}`;
  return info;
});

/** Control characters and line ends as escapes: nothing that is logged can forge a line or move a terminal. */
function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\u2028\u2029]/gu,
    (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
