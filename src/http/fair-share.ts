import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Answers a request; returns `lasting` for a reply that goes on until the client leaves. */
type Listener = (req: IncomingMessage, res: ServerResponse) => 'lasting' | undefined;

/** Listeners for a server that limit each connection to its share. */
export interface FairShare {
  /** For `connection`, or `secureConnection`. */
  readonly onConnection: (socket: Socket) => void;
  /** For `request`, `checkContinue` and `checkExpectation`. */
  readonly onRequest: (req: IncomingMessage, res: ServerResponse) => void;
}

/** The most requests of a connection that wait behind a reply. A health check never sends a second one before its reply. */
const MAX_WAITING = 8;

/**
 * The longest time from a connection's start to its first request, and from each request to the next request, or to the end
 * of the last reply.
 */
const MAX_TURN_MS = 10_000;
const SWEEP_MS = 1000;

interface Share {
  /** Sweeps since the last request. */
  sweeps: number;
  /** Requests that wait behind a reply. */
  waiting: number;
  /** The reply to the last request closes the connection. */
  closing: boolean;
  /** The last reply is a stream: no time limit. */
  lasting: boolean;
}

/**
 * Limits what a single connection can take from the others.
 *
 * - Time: Node resets its own limits with every byte that arrives (such as empty lines after a request) or leaves (when the
 *   client reads slowly). Only a complete request resets our limit. Node stops reading requests while replies are waiting,
 *   so a client that does not read is caught as well.
 * - Requests: Node reads up to 64 kB at once and parses all requests in it, some 3,000, before another connection gets its
 *   turn; it keeps the replies until the client reads them. A connection with too many waiting requests is ended, and the
 *   rest of its requests is not answered.
 * - Bytes after the last request: after a request that closes the connection, further bytes are ignored, because they may be
 *   its body.
 */
export function createFairShare(listener: Listener): FairShare {
  const shares = new Map<Socket, Share>();
  let sweeper: NodeJS.Timeout | undefined;
  const sweep = (): void => {
    for (const [socket, share] of shares) {
      if (share.lasting) continue;
      share.sweeps += 1;
      if (share.sweeps > MAX_TURN_MS / SWEEP_MS) socket.destroy();
    }
    if (shares.size > 0) return;
    clearInterval(sweeper);
    sweeper = undefined;
  };
  return {
    onConnection(socket) {
      shares.set(socket, { sweeps: 0, waiting: 0, closing: false, lasting: false });
      socket.once('close', () => shares.delete(socket));
      sweeper ??= setInterval(sweep, SWEEP_MS).unref();
    },
    onRequest(req, res) {
      const { socket } = req;
      const share = shares.get(socket);
      if (share === undefined || socket.destroyed) return;
      if (res.socket === null) {
        // another reply comes first: Node gives a reply its socket when the reply is the first in the queue
        share.waiting += 1;
        if (share.waiting > MAX_WAITING) {
          stopParsing(socket);
          socket.destroy();
          return;
        }
        res.once('finish', () => (share.waiting -= 1));
      }
      if (share.closing) return;
      share.sweeps = 0;
      share.lasting = listener(req, res) === 'lasting';
      share.closing = !res.shouldKeepAlive || announcesBody(req);
    },
  };
}

/**
 * Stops Node's parser. Otherwise the parser goes on to the end of the bytes that were read. It makes a request object of each
 * request, and when the connection closes, an error with a stack of each: 40 ms for 64 kB, in which patroniglue answers
 * nobody else. Node has no public function for this. But it stops its parser itself, if the rest of the bytes is for another
 * protocol: `onIncoming` returns 2 for the next request's headers (`parserOnIncoming` in `_http_server.js`, 20 to 24). A
 * socket without such a parser is left as it is.
 */
function stopParsing(socket: Socket): void {
  const { parser } = socket as { readonly parser?: { onIncoming?: () => number } | null };
  if (parser) parser.onIncoming = () => REST_IS_NO_HTTP;
}

const REST_IS_NO_HTTP = 2;

/**
 * Whether a body follows the headers of this request, or may follow (RFC 9112, section 6.3). Searches the raw headers: Node
 * builds the `headers` object only on first access, and nothing else here needs it.
 */
export function announcesBody({ rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>): boolean {
  return rawHeaders.some((name, index) => {
    if (index % 2 === 1) return false; // a value
    if (name.length === 'transfer-encoding'.length) return name.toLowerCase() === 'transfer-encoding';
    if (name.length !== 'content-length'.length || name.toLowerCase() !== 'content-length') return false;
    return rawHeaders[index + 1] !== '0';
  });
}
