import type { Observable } from 'rxjs';
import type { CanonicalRoute, Snapshot } from '../patroni/types.js';

/** The two ends of a client's connection; an address is absent where the connection is reset already. */
export interface Ends {
  readonly remoteAddress?: string | undefined;
  readonly localAddress?: string | undefined;
}

/** What a client asks. */
export interface CheckRequest {
  readonly method: string;
  /** `1.1`, `1.0`; `0.9` for a request line without a version. */
  readonly httpVersion: string;
  /** The request target as it came. */
  readonly target: string;
  /** The request announces a body. */
  readonly hasBody: boolean;
  /** Whose it is. */
  readonly connection?: Ends;
  /** The client's address by its connection's PROXY header. */
  readonly named?: string | undefined;
}

/** What replies are made from: reading it never waits. */
export interface Snapshots {
  readonly prefetched: readonly CanonicalRoute[];
  /** How many other routes may be learned at a time. */
  readonly maxLearned: number;
  latest(route: CanonicalRoute): Snapshot | undefined;
  /** The same for a client, from whom a route may be learned; `undefined` where there is no room to. */
  ask(route: CanonicalRoute): Snapshot | undefined;
}

/** The two clocks that a reply needs, in milliseconds. */
export interface ReplyClock {
  /** The scheduler's: ages are counted on it. */
  nowMs(): number;
  /** The wall clock: for people only. */
  wallMs(): number;
}

/**
 * What a client gets. `body` is what a `GET` is sent; `HEAD` and `OPTIONS` get the status and the headers alone. As a text it
 * has one character a byte (Latin-1): see `bodyOf`.
 */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body: Buffer | string;
}

/**
 * A reply that goes on: each text of `body$` is sent as it comes, in UTF-8. A client that does not read misses those for
 * which there is no room, so each must make sense without those before it. It ends with `body$`, or with the client.
 */
export interface StreamReply extends Omit<Reply, 'body'> {
  readonly body$: Observable<string>;
}

/** What a page of patroniglue's own is answered with: at once, or when it is made, or as things happen. */
export type PageReply = Reply | StreamReply | Promise<Reply>;

/** Pages under `/-/` besides those that are always there: what makes the one at a path. */
export interface Pages<Page extends PageReply = PageReply> {
  get(path: string): (() => Page) | undefined;
  /** Answers `POST /-/refresh`, and whatever else is said to that path. */
  readonly refresh?: (request: CheckRequest) => Reply;
}

/** Where Patroni's callbacks tell that something has changed. */
export const REFRESH_PATH = '/-/refresh';
