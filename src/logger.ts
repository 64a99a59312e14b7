import winston from 'winston';
import type { LogOutput } from './log-output.js';

/** What is logged: `info` is start, stop, warnings and changes; `verbose` adds requests, `debug` adds polls. */
export type LogLevel = 'error' | 'info' | 'verbose' | 'debug';

const { combine, json, printf, timestamp } = winston.format;

/** Lines of text are one line each, whatever an upstream or a client put into them. */
const text = printf(({ timestamp: at, level, message }) => `${String(at)} ${level}: ${printable(String(message))}`);

/**
 * The logger: one line an event, with the time in ISO 8601 and milliseconds; as text, or as JSON with the event's
 * fields for machines.
 */
export function createLogger(level: LogLevel, format: 'text' | 'json', output: LogOutput): winston.Logger {
  return winston.createLogger({
    level,
    format: lineFormat(format),
    // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- two typings of one class
    transports: [new winston.transports.Stream({ stream: output.stream, eol: '\n' })],
  });
}

/** How a line is written, for `logger.format`. */
export function lineFormat(format: 'text' | 'json'): winston.Logform.Format {
  return combine(timestamp(), format === 'json' ? json() : text);
}

/** Control characters and line ends as escapes: nothing that is logged can forge a line or move a terminal. */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\u2028\u2029]/gu,
    (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
