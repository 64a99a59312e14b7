import type { Observable } from 'rxjs';
import type { CanonicalRoute, Snapshot } from '../patroni/types.js';

/** The two ends of a client's connection. The addresses are absent if the connection was reset. */
export interface ConnectionAddresses {
  /** With HTTPS: whether the client has shown a certificate that `frontend.cafile` has signed. */
  readonly authorized?: boolean | undefined;
  readonly remoteAddress?: string | undefined;
  readonly localAddress?: string | undefined;
}

/** A request of a client. */
export interface CheckRequest {
  readonly method: string;
  /** `1.1`, `1.0`; `0.9` for a request line without a version. */
  readonly httpVersion: string;
  /** The request target as it came. */
  readonly target: string;
  /** The headers announce a body. */
  readonly hasBody: boolean;
  /** The connection on which the request came. */
  readonly connection?: ConnectionAddresses;
  /** The client's address from the PROXY header of the connection. */
  readonly proxyClient?: string | undefined;
}

/** Who asked last for a route. */
export interface LastCheck {
  /** The client's address; absent if the connection was reset before it could be read. */
  readonly address?: string;
  /** When, by the scheduler's clock, in milliseconds. */
  readonly atMs: number;
}

/** The snapshots from which replies are made. Reading them never waits. */
export interface Snapshots {
  readonly prefetched: readonly CanonicalRoute[];
  /** How many other routes may be learned at a time. */
  readonly maxLearned: number;
  latest(route: CanonicalRoute): Snapshot | undefined;
  /** The same for a request of a client, which may make patroniglue learn the route; `undefined` if no more can be learned. */
  ask(route: CanonicalRoute): Snapshot | undefined;
}

/** The two clocks that a reply needs, in milliseconds. */
export interface ReplyClock {
  /** The scheduler's clock, for ages. */
  nowMs(): number;
  /** The wall clock, for times that people read. */
  wallMs(): number;
}

/**
 * The reply to a client. Only `GET` gets the body; `HEAD` and `OPTIONS` get the status and the headers. A body that is a
 * text has one character per byte (Latin-1): see `bodyOf`.
 */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body: Buffer | string;
}

/**
 * A reply that is a stream: each text of `body$` is sent when it comes, in UTF-8. A client that reads slowly misses texts,
 * so each text must make sense without the texts before it. The reply ends when `body$` completes or the client leaves.
 */
export interface StreamReply extends Omit<Reply, 'body'> {
  readonly body$: Observable<string>;
}

/** A reply with a page of patroniglue's own: at once, when the page is made, or as a stream. */
export type PageReply = Reply | StreamReply | Promise<Reply>;

/** Pages under `/-/`, besides `/-/healthy` and `/-/ready`: `get` returns the function that makes the page of a path. */
export interface Pages<Page extends PageReply = PageReply> {
  get(path: string): (() => Page) | undefined;
  /** Why a client may not see pages for people and monitoring: these, and Patroni's. If absent, every client may. */
  readonly refusal?: (request: CheckRequest) => Reply | undefined;
  /** Answers `POST /-/refresh`, and every other method at that path. */
  readonly refresh?: (request: CheckRequest) => Reply;
}

/** The path to which Patroni's callbacks, or `--notify`, send a `POST`. */
export const REFRESH_PATH = '/-/refresh';
