import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Answers a request, and says whether the reply goes on for as long as the client likes. */
type Listener = (req: IncomingMessage, res: ServerResponse) => 'lasting' | undefined;

/** A server's listeners that keep each connection to its share. */
export interface FairShare {
  /** For `connection`, or `secureConnection`. */
  readonly admit: (socket: Socket) => void;
  /** For `request` and its like. */
  readonly onRequest: (req: IncomingMessage, res: ServerResponse) => void;
}

/** The most requests of a connection that wait behind a reply: no health check sends a second one before its reply. */
const MAX_WAITING = 8;

/** From a connection's start to its first request, and from each to the next, or to the end of the last reply. */
const MAX_TURN_MS = 10_000;
const SWEEP_MS = 1000;

interface Share {
  /** Sweeps since the last request. */
  sweeps: number;
  /** Requests behind a reply that is not out yet. */
  waiting: number;
  /** The reply to the last request ends it. */
  over: boolean;
  /** The last reply goes on, and takes no turn from anybody. */
  lasting: boolean;
}

/**
 * Bounds what a single connection takes from the others.
 *
 * - Its time: Node's own limits begin anew with every byte that drips in (empty lines after a request, say) or out (a reply
 *   that is read in sips). This one begins anew with a request alone, and Node reads none while replies pile up.
 * - Its place in the queue: Node parses all requests of a read, up to 64 kB of them or some 3,000, before anybody else gets
 *   a turn, and keeps their replies until they are read. The connection with too many is ended, the rest not answered.
 * - Nothing after a request whose reply ends the connection: what follows may be its body, and is not heard.
 */
export function shareFairly(listener: Listener): FairShare {
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
    admit(socket) {
      shares.set(socket, { sweeps: 0, waiting: 0, over: false, lasting: false });
      socket.once('close', () => shares.delete(socket));
      sweeper ??= setInterval(sweep, SWEEP_MS).unref();
    },
    onRequest(req, res) {
      const { socket } = req;
      const share = shares.get(socket);
      if (share === undefined || socket.destroyed) return;
      if (res.socket === null) {
        // behind another one: Node gives a reply its socket when it is the first in the queue
        share.waiting += 1;
        if (share.waiting > MAX_WAITING) {
          stopParsing(socket);
          socket.destroy();
          return;
        }
        res.once('finish', () => (share.waiting -= 1));
      }
      if (share.over) return;
      share.sweeps = 0;
      share.lasting = listener(req, res) === 'lasting';
      share.over = !res.shouldKeepAlive || announcesBody(req);
    },
  };
}

/**
 * Node's parser would go on to the end of what was read, and make a request of each one in there, and of each request an
 * error with its stack when the connection closes: 40 ms for 64 kB, in which nobody else is answered. No public name stops
 * it; what does is this answer to the next request's headers, by which Node itself tells its parser that the rest is for
 * another protocol (`parserOnIncoming` in `_http_server.js`, 20 to 24). Without such a parser nothing is done.
 */
function stopParsing(socket: Socket): void {
  const { parser } = socket as { readonly parser?: { onIncoming?: () => number } | null };
  if (parser) parser.onIncoming = () => REST_IS_NO_HTTP;
}

const REST_IS_NO_HTTP = 2;

/**
 * A body follows the headers of this request, or may follow (RFC 9112, section 6.3). Looked for in the headers as they came:
 * Node makes the object with their names only for who asks for it, and nobody else does.
 */
export function announcesBody({ rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>): boolean {
  return rawHeaders.some((name, index) => {
    if (index % 2 === 1) return false; // a value
    if (name.length === 'transfer-encoding'.length) return name.toLowerCase() === 'transfer-encoding';
    if (name.length !== 'content-length'.length || name.toLowerCase() !== 'content-length') return false;
    return rawHeaders[index + 1] !== '0';
  });
}
