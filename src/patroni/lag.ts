/** What `convert_to_base_unit` in `patroni/utils.py` knows for a base of `B`; the case counts. Largest first. */
const UNITS = [
  ['TB', 1024 ** 4],
  ['GB', 1024 ** 3],
  ['MB', 1024 ** 2],
  ['kB', 1024],
  ['B', 1],
] as const;

/** A decimal number, maybe with a unit. A zero before digits or an `x` is not here: to Patroni that is octal, or hexadecimal. */
const DECIMAL = /^ *(0(?!x)|[1-9][0-9]{0,14}) *([A-Za-z]*) *$/;

/**
 * The one spelling of a `lag`: decimal, in the largest unit that gives a whole number (`10240 kB` is `10MB`). `undefined`
 * where Patroni certainly cannot read it (`10mb`, `much`), and so ignores it: `parse_int` in `patroni/utils.py`, 3.0.2 and
 * 4.1.4. What only `parse_int` itself could tell (signs, hexadecimal, octal, fractions, exponents) stays as it is.
 */
export function canonicalLag(lag: string): string | undefined {
  const [, digits, unit] = DECIMAL.exec(lag) ?? [];
  if (digits === undefined) return /[0-9]/.test(lag) ? lag : undefined; // no number without a digit
  const [, factor] = UNITS.find(([name]) => name === (unit === '' ? 'B' : unit)) ?? [];
  if (factor === undefined) return undefined;
  const bytes = Number(digits) * factor;
  if (bytes > Number.MAX_SAFE_INTEGER) return lag; // Patroni computes in floats, too: not ours to round
  const [name, size] = UNITS.find(([, size]) => bytes >= size && bytes % size === 0) ?? ['B', 1];
  return `${bytes / size}${name === 'B' ? '' : name}`;
}

/**
 * True where Patroni's handler might fail at a `lag`, for it is no finite number of bytes to Python's floats (`1e999`): it
 * would close the connection without an answer, and log a traceback. None that anybody means is among them.
 */
export function isBoundless(lag: string): boolean {
  return lag.length > 40 || /[eE][-+]?[0-9]{3}/.test(lag);
}
