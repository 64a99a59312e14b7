import { type Server, type Socket, createServer } from 'node:net';
import type { AgentReply, Question } from './types.js';

/** How agent checks are answered. */
export interface AgentServerOptions {
  readonly handle: (question: Question) => AgentReply;
  /** How long a client has time to say what it asks, in milliseconds. */
  readonly waitMs: () => number;
  /** Told of every reply. */
  readonly onReply?: (reply: AgentReply, address: string) => void;
}

/** Longer than any route that is served. */
const MAX_LINE = 2048;

/** From the reply to the end of the connection: HAProxy resets it at once. */
const LINGER_MS = 1000;

/**
 * A server for HAProxy's agent checks: reads a line or nothing, writes a line, and ends the connection. Does not listen yet.
 *
 * A client has `waitMs` to ask, and a second to go; what it says after its line is not heard.
 */
export function createAgentServer({ handle, waitMs, onReply }: AgentServerOptions): Server {
  // allowHalfOpen: whoever has said all and closes its half is answered, too
  return createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const address = socket.remoteAddress ?? '-'; // after a reset, there is none
    socket.on('error', () => undefined); // a reset, which is how HAProxy ends a check
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

/** Calls back once: with a line, with what is wrong with it, or that there was none. Not at all if the client is gone before. */
function readQuestion(socket: Socket, waitMs: number, done: (question: Question) => void): void {
  let heard = '';
  let ignored = 0;
  let isOver = false;
  const finish = (question: Question): void => {
    if (isOver) return;
    isOver = true;
    clearTimeout(waiting);
    done(question);
  };
  const waiting = setTimeout(() => {
    // after the sockets were read once more: timers that are late come before what has come meanwhile
    setImmediate(() => {
      finish(heard === '' ? { kind: 'nothing' } : { kind: 'line-without-end' });
    });
  }, waitMs);
  socket.on('data', (bytes: Buffer) => {
    if (isOver) {
      ignored += bytes.length; // read, so that its end is seen
      if (ignored > MAX_LINE) socket.destroy();
      return;
    }
    heard += bytes.toString('latin1', 0, MAX_LINE + 1);
    const [line] = /^[^\r\n]*(?=[\r\n])/.exec(heard) ?? [];
    if ((line ?? heard).length > MAX_LINE) finish({ kind: 'line-too-long' });
    else if (line !== undefined) finish({ kind: 'line', text: line });
  });
  socket.once('end', () => {
    finish(heard === '' ? { kind: 'nothing' } : { kind: 'line', text: heard });
  });
  socket.once('close', () => {
    isOver = true;
    clearTimeout(waiting);
  });
}
