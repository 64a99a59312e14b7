import type { Observable } from 'rxjs';
import type { CheckRequest } from './handler.js';

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

/** A reply with a text, in UTF-8. */
export function textReply(
  status: number,
  text: string,
  contentType = 'text/plain; charset=utf-8',
  headers: Reply['headers'] = {},
): Reply {
  const body = Buffer.from(text);
  return {
    status,
    headers: { 'Content-Type': contentType, 'Content-Length': body.length, 'Cache-Control': 'no-store', ...headers },
    body,
  };
}
