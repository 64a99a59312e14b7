/** What is logged: `info` is start, stop, warnings and changes; `verbose` adds requests, `debug` adds polls. */
export type LogLevel = 'error' | 'info' | 'verbose' | 'debug';

/** How much a line matters. */
export type LineLevel = LogLevel | 'warn';
