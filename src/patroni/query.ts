/**
 * The part of a query that changes Patroni's answer: in its canonical spelling with its `?`, or an empty text. `undefined` if
 * Patroni might fail at the query.
 *
 * The query is read as Patroni reads it, with Python's `parse_qs`: only `&` separates keys, `+` is a space, empty values
 * do not count, and a repeated key has its first value. Keys are sorted by name, because their order changes nothing.
 *
 * @param query without its `?`
 * @param keys the keys that change the answer; a trailing `*` matches any ending
 */
export function canonicalQuery(query: string, keys: readonly string[]): string | undefined {
  const changesTheAnswer = (key: string): boolean =>
    keys.some((known) => (known.endsWith('*') ? key.startsWith(known.slice(0, -1)) : key === known));
  const read = new Map<string, string>();
  // URLSearchParams would remove a `?` at the start, which Patroni reads as part of the first key. The `&` prevents this.
  for (const [key, value] of new URLSearchParams(`&${query}`)) {
    if (value !== '' && !read.has(key) && changesTheAnswer(key)) read.set(key, value);
  }
  if (isLagOutOfRange(read.get('lag') ?? '')) return undefined;
  const kept: string[] = [];
  for (const [key, value] of [...read].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const canonical = canonicalValue(key, value);
    if (canonical !== undefined) kept.push(`${encode(key).replaceAll('=', '%3D')}=${encode(canonical)}`);
  }
  return kept.length === 0 ? '' : `?${kept.join('&')}`;
}

/** Percent-encodes only what must be, so that the result is not longer than any other spelling. */
function encode(text: string): string {
  return text.replace(/[^\w.~!$'()*,=:@/?-]/gu, (character) =>
    character === ' ' ? '+' : encodeURIComponent(character),
  );
}

/** `undefined` if the key with this value has the same effect as no key at all. */
function canonicalValue(key: string, value: string): string | undefined {
  if (key === 'lag') return canonicalLag(value);
  if (key === 'mode') return value === 'write' ? value : undefined; // any other value means `apply`: `_readiness`, 4.1
  return value;
}

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
function canonicalLag(lag: string): string | undefined {
  const [, digits, unit] = DECIMAL.exec(lag) ?? [];
  if (digits === undefined) return /[0-9]/.test(lag) ? lag : undefined; // without a digit, it is no number
  const [, factor] = UNITS.find(([name]) => name === (unit === '' ? 'B' : unit)) ?? [];
  if (factor === undefined) return undefined;
  const bytes = Number(digits) * factor;
  if (bytes > Number.MAX_SAFE_INTEGER) return lag; // Patroni uses floats, too, and must do the rounding itself
  const [name, size] = UNITS.find(([, size]) => bytes >= size && bytes % size === 0) ?? ['B', 1];
  return `${bytes / size}${name === 'B' ? '' : name}`;
}

/** The bytes of a `lag` in canonical spelling; `undefined` if only Patroni's `parse_int` knows how to read it. */
export function lagBytes(lag: string): number | undefined {
  const [, digits, unit] = DECIMAL.exec(lag) ?? [];
  const [, factor] = UNITS.find(([name]) => name === (unit === '' ? 'B' : unit)) ?? [];
  if (digits === undefined || factor === undefined) return undefined;
  const bytes = Number(digits) * factor;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/**
 * True if a `lag` may be too large for Python's floats (`1e999`). Patroni's handler might fail at such a value: it would close
 * the connection without an answer and log a traceback. No realistic `lag` is that large.
 */
function isLagOutOfRange(lag: string): boolean {
  return lag.length > 40 || /[eE][-+]?[0-9]{3}/.test(lag);
}
