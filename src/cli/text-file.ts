import { readFile } from 'node:fs/promises';
import { fileReason } from '../config/tls.js';
import { ConfigError } from '../errors.js';

/**
 * A text file.
 *
 * @throws ConfigError if it cannot be read, or is not UTF-8
 */
export async function readText(file: string): Promise<string> {
  const bytes = await readFile(file).catch((error: unknown) => {
    throw unreadable(file, `cannot read the file: ${fileReason(error)}`);
  });
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw unreadable(file, 'the file is not UTF-8 text');
  }
}

/** The error for a file that cannot be used. */
export function unreadable(file: string, message: string): ConfigError {
  return new ConfigError(file, [{ line: 1, column: 1, message }]);
}
