import { connect } from 'node:net';
import { Observable, asyncScheduler, catchError, of, switchMap } from 'rxjs';
import { type Address, type ResolveAll, addressesOf, fixedLookup, lookedUpWithin } from './addresses.js';
import { giveUpConnecting, tryingAddresses } from './connection.js';
import { classifyFailure } from './failure.js';

/** Where PostgreSQL listens. */
export interface PostgresOptions {
  /** A name or an address. An address may have a zone. */
  readonly host: string;
  readonly port: number;
  /** The longest time to look up the name, and the longest time to make a TCP connection, in milliseconds. */
  readonly connectMs: number;
  /** Look-up of `host`; replaced in tests. */
  readonly resolve?: ResolveAll | undefined;
}

/**
 * What PostgreSQL says. `silent`: it could not be asked, for example because its name is not looked up, or its accept queue is
 * full. `why` is for people: `connect ECONNREFUSED 127.0.0.1:5432`.
 */
export type PostgresAnswer =
  { readonly state: 'accepts' } | { readonly state: 'refuses' | 'silent'; readonly why: string };

/**
 * The question whether PostgreSQL would encrypt a connection by GSSAPI (`GSSENCRequest`; PostgreSQL's documentation, "Message
 * Formats"). The server begins a process for the connection, which answers with one byte: `G` or `N`. PostgreSQL writes no
 * line to its log when the client then closes. After the `S` to an `SSLRequest` it writes one each time: "could not accept SSL
 * connection: EOF detected".
 */
const QUESTION = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30]);

const ANSWERS = ['G', 'N'];

/**
 * A cold observable: each subscription asks PostgreSQL once whether it accepts connections, on a new connection. It emits
 * once and completes. It never errors. It closes the connection at once. Unsubscription destroys the socket. It has no
 * deadline besides the time to connect: the caller adds one, since a frozen PostgreSQL never answers.
 */
export function createPostgresProbe(options: PostgresOptions): Observable<PostgresAnswer> {
  const { host, connectMs, resolve } = options;
  return lookedUpWithin(addressesOf(host, resolve), connectMs, asyncScheduler).pipe(
    switchMap((addresses) => ask(options, addresses)),
    catchError((cause: unknown) => {
      const { reason, message } = classifyFailure(cause);
      const isRefusal = reason === 'refused' || reason === 'reset';
      return of<PostgresAnswer>({ state: isRefusal ? 'refuses' : 'silent', why: message });
    }),
  );
}

function ask({ host, port, connectMs }: PostgresOptions, addresses: Address[]): Observable<PostgresAnswer> {
  return new Observable((subscriber) => {
    const end = (answer: PostgresAnswer): void => {
      subscriber.next(answer);
      subscriber.complete();
    };
    const socket = connect({ host, port, lookup: fixedLookup(addresses), ...tryingAddresses(connectMs) });
    giveUpConnecting(socket, connectMs);
    socket
      .once('connect', () => socket.write(QUESTION))
      .once('data', (bytes: Buffer) => {
        end(answerOf(bytes));
      })
      .once('end', () => {
        end({ state: 'refuses', why: 'closed the connection without an answer' });
      })
      .once('error', (cause) => {
        subscriber.error(cause);
      });
    return () => {
      socket.on('error', () => undefined).destroy();
    };
  });
}

function answerOf(bytes: Buffer): PostgresAnswer {
  const byte = bytes.toString('latin1', 0, 1);
  if (ANSWERS.includes(byte)) return { state: 'accepts' };
  if (byte === 'E')
    return { state: 'refuses', why: 'answered with an error: it can begin no process, or is older than 12' };
  return { state: 'refuses', why: 'answered, but not as PostgreSQL does' };
}
