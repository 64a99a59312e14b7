/** A request that was answered. */
export interface AccessEntry {
  readonly address: string;
  readonly method: string;
  /** The request target as it came. */
  readonly target: string;
  readonly status: number;
  /** From the end of the request's headers until the reply is handed to the socket, in microseconds. */
  readonly tookUs: number;
}

const FIELDS: Readonly<Record<string, (entry: AccessEntry) => string>> = {
  '%a': ({ address }) => address,
  '%m': ({ method }) => method,
  '%U': ({ target }) => target,
  '%s': ({ status }) => String(status),
  '%D': ({ tookUs }) => String(Math.round(tookUs)),
  '%%': () => '%',
};

/**
 * One line per request, as `logformat` says: `%a` client address, `%m` method, `%U` URI, `%s` status, `%D` µs, `%%` a percent
 * sign. Nothing is escaped here: the log makes each line printable.
 */
export function createAccessLine(logFormat: string): (entry: AccessEntry) => string {
  return (entry) => logFormat.replace(/%[A-Za-z%]/g, (field) => FIELDS[field]?.(entry) ?? field);
}
