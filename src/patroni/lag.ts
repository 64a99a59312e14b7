/** The units that `convert_to_base_unit` in `patroni/utils.py` knows for the base `B`, largest first. Case matters. */
const UNITS = [
  ['TB', 1024 ** 4],
  ['GB', 1024 ** 3],
  ['MB', 1024 ** 2],
  ['kB', 1024],
  ['B', 1],
] as const;

/**
 * A decimal number, maybe with a unit. It does not match a zero before digits or before an `x`: Patroni reads these numbers
 * as octal or hexadecimal.
 */
const DECIMAL = /^ *(0(?!x)|[1-9][0-9]{0,14}) *([A-Za-z]*) *$/;

/**
 * The canonical spelling of a `lag`: decimal, in the largest unit that gives a whole number (`10240 kB` becomes `10MB`).
 * `undefined` if Patroni certainly cannot read the value (`10mb`, `much`): Patroni ignores it then (`parse_int` in
 * `patroni/utils.py`, 3.0.2 and 4.1.4). Signs, hexadecimal, octal, fractions and exponents stay as they are: only
 * `parse_int` itself knows how to read them.
 */
export function canonicalLag(lag: string): string | undefined {
  const [, digits, unit] = DECIMAL.exec(lag) ?? [];
  if (digits === undefined) return /[0-9]/.test(lag) ? lag : undefined; // without a digit, it is no number
  const [, factor] = UNITS.find(([name]) => name === (unit === '' ? 'B' : unit)) ?? [];
  if (factor === undefined) return undefined;
  const bytes = Number(digits) * factor;
  if (bytes > Number.MAX_SAFE_INTEGER) return lag; // Patroni uses floats, too, and must do the rounding itself
  const [name, size] = UNITS.find(([, size]) => bytes >= size && bytes % size === 0) ?? ['B', 1];
  return `${bytes / size}${name === 'B' ? '' : name}`;
}

/**
 * True if a `lag` may be too large for Python's floats (`1e999`). Patroni's handler might fail at such a value: it would close
 * the connection without an answer and log a traceback. No realistic `lag` is that large.
 */
export function isLagOutOfRange(lag: string): boolean {
  return lag.length > 40 || /[eE][-+]?[0-9]{3}/.test(lag);
}
