import { type Observable, catchError, defer, of, switchMap, tap, throwError } from 'rxjs';
import { ReasonedError } from './failure.js';

/** What etcd gives for a name and a password. It has no `authorization` while etcd asks nobody for a user. */
export interface Token {
  readonly authorization?: string;
}

/** etcd does not, or no longer, accept the token of a request. */
export class StaleTokenError extends ReasonedError {
  override readonly name = 'StaleTokenError';

  constructor(message: string) {
    super('refused-access', message);
  }
}

/**
 * Asks with a token. `ask` gets the token that is kept, or the one that `authenticate` brings. If `ask` errors with
 * {@link StaleTokenError}, it is called once more with a new token.
 */
export type WithToken = <T>(authenticate: Observable<Token>, ask: (token: Token) => Observable<T>) => Observable<T>;

/** Keeps one token for all members of an etcd cluster. */
export function createAccess(): WithToken {
  let kept: Token | undefined;
  return (authenticate, ask) => {
    const tokenOtherThan = (stale: Token | undefined): Observable<Token> =>
      defer(() =>
        kept !== undefined && kept !== stale // another host has brought it meanwhile
          ? of(kept)
          : authenticate.pipe(
              tap((token) => {
                kept = token;
              }),
            ),
      );
    return tokenOtherThan(undefined).pipe(
      switchMap((token) =>
        ask(token).pipe(
          catchError((cause: unknown) =>
            cause instanceof StaleTokenError
              ? tokenOtherThan(token).pipe(switchMap(ask))
              : throwError(() => cause as Error),
          ),
        ),
      ),
    );
  };
}
