import { once } from 'node:events';
import { connect } from 'node:net';
import { within } from '../../test/support/time/wait.js';
import { nowMs } from '../../test/support/time/monotonic.js';

/** A client's session with PostgreSQL that sends a query every second. */
export interface Session {
  /** When it ended without our doing; `undefined` while it lasts. */
  readonly endedMs: number | undefined;
  /** How many queries PostgreSQL has answered. */
  readonly answered: number;
  close(): void;
}

const QUERY_EVERY_MS = 1000;

/** Of the first byte of a message from PostgreSQL. */
const READY_FOR_QUERY = 'Z'.charCodeAt(0);

/**
 * Opens a session through a loopback port, as `postgres`, where PostgreSQL trusts it. Resolves when PostgreSQL is ready for a
 * query.
 */
export async function openSession(port: number): Promise<Session> {
  const socket = connect(port, '127.0.0.1');
  const parts: Buffer[] = [];
  const events = { endedMs: undefined as number | undefined, answered: -1, closed: false };
  socket.on('error', () => undefined);
  socket.on('data', (chunk) => {
    parts.push(chunk);
    const { ready, rest } = readiesIn(Buffer.concat(parts.splice(0)));
    parts.push(rest);
    if (ready > 0 && events.answered < 0) socket.emit('ready for query');
    events.answered += ready;
  });
  const timer = setInterval(() => {
    if (events.answered >= 0) socket.write(message('Q', 'SELECT 1\0'));
  }, QUERY_EVERY_MS);
  socket.once('close', () => {
    clearInterval(timer);
    if (!events.closed) events.endedMs = nowMs();
  });
  socket.write(message('', '\0\x03\0\0user\0postgres\0database\0postgres\0\0')); // protocol 3.0
  await within('PostgreSQL is ready for a query', 5000, once(socket, 'ready for query'));
  return {
    get endedMs() {
      return events.endedMs;
    },
    get answered() {
      return events.answered;
    },
    close: () => {
      events.closed = true;
      socket.destroy();
    },
  };
}

/** A message of PostgreSQL's protocol (its manual, section 55.7): type, length, text. */
function message(type: string, text: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(4 + Buffer.byteLength(text));
  return Buffer.concat([Buffer.from(type), length, Buffer.from(text)]);
}

/** How many whole messages say that PostgreSQL is ready, and the beginning of a message that is not whole yet. */
function readiesIn(bytes: Buffer): { readonly ready: number; readonly rest: Buffer } {
  let [ready, at] = [0, 0];
  while (at + 5 <= bytes.length) {
    const next = at + 1 + bytes.readUInt32BE(at + 1);
    if (next > bytes.length) break;
    if (bytes[at] === READY_FOR_QUERY) ready += 1;
    at = next;
  }
  return { ready, rest: bytes.subarray(at) };
}
