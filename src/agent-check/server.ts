import { type Server, type Socket, createServer } from 'node:net';
import type { AgentReply, Question } from './types.js';

/** How a server answers agent checks. */
export interface AgentServerOptions {
  readonly handle: (question: Question) => AgentReply;
  /** How long the server waits for a client's question, in milliseconds. */
  readonly waitMs: () => number;
  /** Called with each reply and the client's address. */
  readonly onReply?: (reply: AgentReply, address: string) => void;
}

/** The most characters of a line: more than any route has. */
const MAX_LINE = 2048;

/** How long the connection stays open after the reply. HAProxy itself resets it at once. */
const LINGER_MS = 1000;

/**
 * A server for HAProxy's agent checks, which does not listen yet. It reads one line or nothing, writes one line, and ends the
 * connection.
 *
 * A client has `waitMs` to ask, and one second to close the connection. The server ignores all bytes after the first line.
 */
export function createAgentServer({ handle, waitMs, onReply }: AgentServerOptions): Server {
  // allowHalfOpen: a client that closes its half of the connection gets its reply, too
  return createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const address = socket.remoteAddress ?? '-'; // undefined after a reset
    socket.on('error', () => undefined); // HAProxy ends a check with a reset
    readQuestion(socket, waitMs(), (question) => {
      const reply = handle(question);
      socket.end(`${reply.line}\n`);
      const lingering = setTimeout(() => socket.destroy(), LINGER_MS);
      socket.once('close', () => {
        clearTimeout(lingering);
      });
      onReply?.(reply, address);
    });
  });
}

/** Calls `done` once with the client's question, also if this is malformed or empty; never if the client has gone before. */
function readQuestion(socket: Socket, waitMs: number, done: (question: Question) => void): void {
  let received = '';
  let ignored = 0;
  let isOver = false;
  const finish = (question: Question): void => {
    if (isOver) return;
    isOver = true;
    clearTimeout(waiting);
    done(question);
  };
  const waiting = setTimeout(() => {
    // Wait until the event loop has read the sockets once more: it runs late timers before it reads what came meanwhile.
    setImmediate(() => {
      finish(received === '' ? { kind: 'nothing' } : { kind: 'line-without-end' });
    });
  }, waitMs);
  socket.on('data', (bytes: Buffer) => {
    if (isOver) {
      ignored += bytes.length; // keep reading, to notice the end of the connection
      if (ignored > MAX_LINE) socket.destroy();
      return;
    }
    received += bytes.toString('latin1', 0, MAX_LINE + 1);
    const [line] = /^[^\r\n]*(?=[\r\n])/.exec(received) ?? [];
    if ((line ?? received).length > MAX_LINE) finish({ kind: 'line-too-long' });
    else if (line !== undefined) finish({ kind: 'line', text: line });
  });
  socket.once('end', () => {
    finish(received === '' ? { kind: 'nothing' } : { kind: 'line', text: received });
  });
  socket.once('close', () => {
    isOver = true;
    clearTimeout(waiting);
  });
}
