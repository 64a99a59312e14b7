import { canonicalLag, isLagOutOfRange } from './lag.js';

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
