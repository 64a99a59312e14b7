import { type Observable, concatMap, from, map, of, reduce, switchMap } from 'rxjs';
import {
  ETCD_PATHS,
  GRPC,
  type Reading,
  keysQuestion,
  leaseQuestion,
  leasesOf,
  nodeKeys,
  readError,
  readKeys,
  readLease,
  readToken,
  tokenQuestion,
} from '../witness/etcd-json.js';
import type { LeaseLife, NodeKeys } from '../witness/types.js';
import type { Address } from './addresses.js';
import { StaleTokenError, type Token, type WithToken } from './etcd-access.js';
import { MalformedAnswerError, ReasonedError } from './failure.js';
import type { HttpClient, HttpResponse } from './http-client.js';

/** Who patroniglue is for etcd. */
interface EtcdUser {
  readonly name: string;
  readonly password: string;
}

/** What a member of an etcd cluster is asked with. */
export interface EtcdMemberParts {
  readonly client: HttpClient;
  /** The addresses to try. Emits once and completes, or errors. */
  readonly address$: Observable<Address[]>;
  /** Absent if etcd asks for no user. */
  readonly user?: EtcdUser | undefined;
  readonly withToken: WithToken;
}

/**
 * A cold observable of the keys of a node. Each subscription reads once, on new connections. It emits the keys and
 * completes, or it errors with something that `classifyFailure` knows. Unsubscription destroys all sockets.
 *
 * @param key where the cluster's keys are: `/service/main`, without a slash at the end
 * @param name the node's name in Patroni
 */
export type ReadNodeKeys = (key: string, name: string) => Observable<NodeKeys>;

/**
 * Reads a node's keys from one member of an etcd cluster: the keys, and then the lives of their leases. There is one request
 * at a time.
 */
export function createEtcdMember({ client, address$, user, withToken }: EtcdMemberParts): ReadNodeKeys {
  return (key, name) => {
    const read = (addresses: Address[]): Observable<NodeKeys> => {
      const post = (path: string, body: string, { authorization }: Token): Observable<HttpResponse> => {
        const headers = authorization === undefined ? {} : { Authorization: authorization };
        return client({ method: 'POST', path, addresses, headers, body });
      };
      return withToken(authentication(user, post), (token) => {
        const ask = <T>(path: string, question: string, reader: (body: Buffer) => Reading<T>): Observable<T> =>
          post(path, question, token).pipe(
            map((response) => {
              if (response.status !== 200) throw failureOf(response, { key, user, token });
              return valueOf(reader(response.body), path);
            }),
          );
        const lives = (ids: readonly string[]): Observable<Map<string, LeaseLife>> =>
          from(ids).pipe(
            concatMap((id) =>
              ask(ETCD_PATHS.timeToLive, leaseQuestion(id), (body) => readLease(body, id)).pipe(
                map((life) => ({ id, life })),
              ),
            ),
            reduce((all, { id, life }) => (life ? all.set(id, life) : all), new Map<string, LeaseLife>()),
          );
        return ask(ETCD_PATHS.txn, keysQuestion(key, name), (body) => readKeys(body, key, name)).pipe(
          switchMap((stored) => lives(leasesOf(stored, name)).pipe(map((known) => nodeKeys(stored, known)))),
        );
      });
    };
    return address$.pipe(switchMap(read));
  };
}

type Post = (path: string, body: string, token: Token) => Observable<HttpResponse>;

/** etcd refuses to give a token while it asks nobody for a user; it then answers without one. */
function authentication(user: EtcdUser | undefined, post: Post): Observable<Token> {
  if (user === undefined) return of({});
  return post(ETCD_PATHS.authenticate, tokenQuestion(user.name, user.password), {}).pipe(
    map((response): Token => {
      if (response.status === 200) return { authorization: valueOf(readToken(response.body), ETCD_PATHS.authenticate) };
      const { code } = readError(response.body);
      if (code === GRPC.failedPrecondition) return {};
      if (code === GRPC.invalidArgument) {
        throw new ReasonedError('refused-access', `etcd refuses the user ${user.name}: wrong name or password`);
      }
      throw otherFailure(response, [user.password]);
    }),
  );
}

function valueOf<T>(reading: Reading<T>, path: string): T {
  if (reading.kind === 'problem') throw new MalformedAnswerError(`${path} answered ${reading.problem}`);
  return reading.value;
}

/** With this status of gRPC, etcd says `user name is empty` and `revision of auth store is old`. */
const ABOUT_THE_USER = /user name is empty|auth store is old/;

function failureOf(
  response: HttpResponse,
  asked: { readonly key: string; readonly user: EtcdUser | undefined; readonly token: Token },
): Error {
  const { key, user, token } = asked;
  const { code, message } = readError(response.body);
  if (code === GRPC.permissionDenied) {
    const who = user === undefined ? 'patroniglue' : `the user ${user.name}`;
    return new ReasonedError(
      'refused-access',
      `etcd: ${who} may not read ${key}/: give it a role with READ on this prefix`,
    );
  }
  if (code === GRPC.unauthenticated || (code === GRPC.invalidArgument && ABOUT_THE_USER.test(message))) {
    return user === undefined
      ? new ReasonedError('refused-access', 'etcd asks for a user and a password, and none is configured')
      : new StaleTokenError(`etcd refuses the token of the user ${user.name}`);
  }
  return otherFailure(response, [user?.password, token.authorization]);
}

function otherFailure({ status, body }: HttpResponse, secrets: readonly (string | undefined)[]): Error {
  const { code, message } = readError(
    body,
    secrets.filter((secret) => secret !== undefined),
  );
  if (code !== undefined) return new ReasonedError('other', `etcd answered ${status}: ${message}`);
  return new MalformedAnswerError(`answered ${status}, and not as etcd 3.4 or later does: check host, port and scheme`);
}
