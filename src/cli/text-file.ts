import { createReadStream } from 'node:fs';
import { fileReason } from '../config/tls.js';
import { ConfigError } from '../errors.js';

/** The most bytes of a file that are read: it may be a device that never ends. */
const MAX_BYTES = 4_194_304;

/**
 * The text of a file, up to its first 4 MiB.
 *
 * @throws ConfigError if it cannot be read, or is not UTF-8
 */
export async function readText(file: string): Promise<string> {
  const bytes = await beginningOf(file).catch((error: unknown) => {
    throw unreadable(file, `cannot read the file: ${fileReason(error)}`);
  });
  try {
    // `stream`: the bound may cut a character in two
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: bytes.length === MAX_BYTES });
  } catch {
    throw unreadable(file, 'the file is not UTF-8 text');
  }
}

async function beginningOf(file: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of createReadStream(file, { end: MAX_BYTES - 1 })) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** The error for a file that cannot be used. */
export function unreadable(file: string, message: string): ConfigError {
  return new ConfigError(file, [{ line: 1, column: 1, message }]);
}
