import { canonicalLag, isBoundless } from './lag.js';

/**
 * The part of a query that changes Patroni's answer, in its one spelling, with its `?`; or nothing. `undefined` where Patroni
 * would fail at it.
 *
 * Read as Patroni reads it, with Python's `parse_qs`: only `&` separates, a `+` is a space, empty values do not count, and
 * of a repeated key the first value does. Keys are sorted by name: their order changes nothing.
 *
 * @param query without its `?`
 * @param keys the keys that change the answer; a trailing `*` stands for any end
 */
export function canonicalQuery(query: string, keys: readonly string[]): string | undefined {
  const changesTheAnswer = (key: string): boolean =>
    keys.some((known) => (known.endsWith('*') ? key.startsWith(known.slice(0, -1)) : key === known));
  const read = new Map<string, string>();
  // The `&` keeps URLSearchParams from taking a `?` at the start away: to Patroni it is part of the first key.
  for (const [key, value] of new URLSearchParams(`&${query}`)) {
    if (value !== '' && !read.has(key) && changesTheAnswer(key)) read.set(key, value);
  }
  if (isBoundless(read.get('lag') ?? '')) return undefined;
  const kept: string[] = [];
  for (const [key, value] of [...read].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const canonical = canonicalValue(key, value);
    if (canonical !== undefined) kept.push(`${encode(key).replaceAll('=', '%3D')}=${encode(canonical)}`);
  }
  return kept.length === 0 ? '' : `?${kept.join('&')}`;
}

/** No longer than any other spelling: what need not be percent-encoded is not. */
function encode(text: string): string {
  return text.replace(/[^\w.~!$'()*,=:@/?-]/gu, (character) =>
    character === ' ' ? '+' : encodeURIComponent(character),
  );
}

/** `undefined` where this value says the same as no such key. */
function canonicalValue(key: string, value: string): string | undefined {
  if (key === 'lag') return canonicalLag(value);
  if (key === 'mode') return value === 'write' ? value : undefined; // anything else is `apply`: `_readiness`, 4.1
  return value;
}
