/** Longer bodies are not copied for each reply. Patroni's answers to health checks have some hundred bytes. */
const ONE_PIECE_BYTES = 16_384;

/**
 * A body as it is handed to a socket: as a text of one character a byte (Latin-1), which Node sends in one piece with the
 * headers, at half the price of a second buffer; or, where it is long, as the bytes themselves.
 */
export function bodyOf(bytes: Buffer): string | Buffer {
  return bytes.length <= ONE_PIECE_BYTES ? bytes.toString('latin1') : bytes;
}
