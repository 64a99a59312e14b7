/** Escapes a text for HTML. Patroni, another program at its address, or a client decides what is in a text. */
export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/**
 * A moment in UTC; with its date, if that is not the date of `today`. The script of the page shows it in the time zone of the
 * reader. Both are in ISO 8601.
 */
export function time(at: string, today: string): string {
  const [date = '', clock = ''] = at.split('T');
  const day = today.startsWith(date) ? '' : `${date} `;
  return `<time datetime="${at}">${day}${clock.slice(0, 8)}</time>`;
}

const UNITS = [
  ['day', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
] as const;

/** A duration in its largest unit, rounded down: `0.4 s`, `12 s`, `3 min`, `2 days`. */
export function span(ms: number): string {
  if (ms < 10_000) return `${(Math.max(0, ms) / 1000).toFixed(1)} s`;
  const [unit, unitMs] = UNITS.find(([, each]) => ms >= each) ?? ['s', 1000];
  const count = Math.floor(ms / unitMs);
  return `${count} ${unit}${unit === 'day' && count > 1 ? 's' : ''}`;
}

const MEBIBYTE = 1_048_576;

/** `512 bytes`, `16 MiB`; as `patronictl list`, rounded down. */
export function size(bytes: number): string {
  return bytes < MEBIBYTE ? `${bytes} bytes` : `${Math.floor(bytes / MEBIBYTE)} MiB`;
}
