import { type Observable, of } from 'rxjs';
import type { ResolveAll } from './addresses.js';

/** Where PostgreSQL listens. */
export interface PostgresOptions {
  /** A name or an address. */
  readonly host: string;
  readonly port: number;
  /** The longest time to look up the name, and the longest time to make a TCP connection, in milliseconds. */
  readonly connectMs: number;
  /** Look-up of `host`; replaced in tests. */
  readonly resolve?: ResolveAll | undefined;
}

/** What PostgreSQL says. `why` is for people: `connect ECONNREFUSED 127.0.0.1:5432`. */
export type PostgresAnswer = { readonly state: 'accepts' } | { readonly state: 'refuses'; readonly why: string };

/**
 * A cold observable: each subscription asks PostgreSQL once whether it accepts connections, on a new connection. It emits
 * once and completes. It never errors. Unsubscription destroys the socket. The caller adds a deadline.
 */
export function createPostgresProbe(_options: PostgresOptions): Observable<PostgresAnswer> {
  return of({ state: 'refuses', why: 'not made yet' });
}
