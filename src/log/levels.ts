/** What the log contains: `info` is start, stop, warnings and changes; `verbose` adds requests, `debug` adds polls. */
export type LogLevel = 'error' | 'info' | 'verbose' | 'debug';

/** The severity of a line. */
export type LineLevel = LogLevel | 'warn';
