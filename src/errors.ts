/** A problem in the configuration: where it is, and what to do about it. */
export interface Problem {
  /** Line in the file, from 1. */
  readonly line: number;
  /** Column in the line, from 1. */
  readonly column: number;
  /** The variable of the environment that has the problem. Line and column are then 0. */
  readonly variable?: string;
  /** Key path, value and what is allowed: `cache.ttl: must be more than 0, not -1`. */
  readonly message: string;
}

/** The most problems in a message. A file that is no configuration may have ten thousand. */
const MAX_LISTED = 50;

/** The configuration cannot be used. Carries every problem found, not only the first. Exit code 2. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'ERR_CONFIG';
  readonly problems: readonly Problem[];

  constructor(file: string, problems: readonly Problem[]) {
    const listed = problems.slice(0, MAX_LISTED).map((problem) => describeProblem(file, problem));
    const others = problems.length - listed.length;
    super([...listed, ...(others > 0 ? [`${file}: and ${others} other problems`] : [])].join('\n'));
    this.problems = problems;
  }
}

/** A problem with its place: `config.yml:12:3: ...`, `PATRONIGLUE_CACHE_TTL: ...`. */
export function describeProblem(file: string, { line, column, variable, message }: Problem): string {
  return `${variable ?? `${file}:${line}:${column}`}: ${message}`;
}

/** The command line cannot be understood. Exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly code = 'ERR_USAGE';
}

/** `--notify` did not reach the running service, or the service refused. Exit code 1. */
export class NotifyError extends Error {
  override readonly name = 'NotifyError';
  readonly code = 'ERR_NOTIFY';
}

/** The front end or the agent checks cannot listen: port taken, no right to listen, no such address. Exit code 1. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
  readonly code = 'ERR_LISTEN';
}

/**
 * The message of what was thrown, whatever that is. An AggregateError (`localhost` on ::1 and 127.0.0.1) has no message of its
 * own, but those of its attempts.
 */
export function messageOf(cause: unknown): string {
  if (cause instanceof AggregateError && cause.message === '') return cause.errors.map(messageOf).join('; ');
  return cause instanceof Error ? cause.message : String(cause);
}
