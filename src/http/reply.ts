import { STATUS_CODES } from 'node:http';
import type { Reply } from './types.js';

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

/** A reply that says what is wrong, as JSON. RFC 9457: without `type` the title is the status's own phrase. */
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

/** Longer bodies are not copied for each reply. Patroni's answers to health checks have some hundred bytes. */
const ONE_PIECE_BYTES = 16_384;

/**
 * A body as it is handed to a socket: as a text of one character a byte (Latin-1), which Node sends in one piece with the
 * headers, at half the price of a second buffer; or, where it is long, as the bytes themselves.
 */
export function bodyOf(bytes: Buffer): string | Buffer {
  return bytes.length <= ONE_PIECE_BYTES ? bytes.toString('latin1') : bytes;
}
