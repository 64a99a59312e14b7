import { STATUS_CODES } from 'node:http';
import type { Reply } from './types.js';

/** A reply with a text in UTF-8. */
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

/** A reply in JSON that says what is wrong (RFC 9457: without `type`, the title is the phrase of the status). */
export function problem(status: number, detail: string, members: object = {}, headers: Reply['headers'] = {}): Reply {
  const text = `${JSON.stringify({ title: STATUS_CODES[status], status, detail, ...members }, undefined, 2)}\n`;
  const bytes = Buffer.from(text);
  return {
    status,
    headers: {
      'Content-Type': 'application/problem+json',
      'Content-Length': bytes.length,
      'Cache-Control': 'no-store',
      ...headers,
    },
    body: bodyOf(bytes),
  };
}

/** Longer bodies are not copied for each reply. Patroni's answers to health checks have a few hundred bytes. */
const ONE_PIECE_BYTES = 16_384;

/**
 * A body in the form in which a socket gets it. A short body is a text with one character per byte (Latin-1): Node sends it
 * in one piece with the headers, which costs half as much as a second buffer. A long body stays a buffer.
 */
export function bodyOf(bytes: Buffer): string | Buffer {
  return bytes.length <= ONE_PIECE_BYTES ? bytes.toString('latin1') : bytes;
}
