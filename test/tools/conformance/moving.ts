/** What Patroni writes anew for each answer, in the JSON of 3.0 to 4.1 and in /metrics. `lag` goes both ways. */
const MOVING = new RegExp(
  [
    /"(dcs_last_seen|(?:received_|replayed_)?location|replayed_timestamp|(?:receive_|replay_)?(?:lsn|lag))": ("[^"]*"|[^,}\]]*)/,
    /(?<=^|\n)patroni_(dcs_last_seen|xlog_(?:received_|replayed_)?location|xlog_replayed_timestamp)\{[^}\n]*\} ([^\n]*)/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'g',
);

/**
 * Whether `body` can have been written between `earlier` and `later`: all but the values that move by themselves (the
 * clock of Patroni's DCS, positions in the write-ahead log, lag) is the same byte for byte, and none of those is before
 * the earlier one or after the later one. For systems so busy that no two answers are the same.
 */
export function isBetween(earlier: Buffer, body: Buffer, later: Buffer): boolean {
  const [first, middle, last] = [earlier, body, later].map((bytes) => split(bytes.toString('latin1')));
  if (first === undefined || middle === undefined || last === undefined) return false;
  if (first.fixed !== middle.fixed || middle.fixed !== last.fixed) return false;
  return middle.values.every(
    ({ name, value }, index) =>
      name.endsWith('lag') ||
      (compare(first.values[index]?.value, value) <= 0 && compare(value, last.values[index]?.value) <= 0),
  );
}

interface Split {
  /** The text with every moving value taken out. */
  readonly fixed: string;
  readonly values: readonly { readonly name: string; readonly value: string }[];
}

function split(text: string): Split {
  const values: { name: string; value: string }[] = [];
  const fixed = text.replace(
    MOVING,
    (match, json?: string, jsonValue?: string, metric?: string, metricValue?: string) => {
      const value = jsonValue ?? metricValue ?? '';
      values.push({ name: json ?? metric ?? '', value });
      return `${match.slice(0, match.length - value.length)}*`;
    },
  );
  return { fixed, values };
}

/** Numbers, "0/3000148" (two hexadecimal halves), timestamps, and `null` before all of them. */
function compare(a = 'null', b = 'null'): number {
  if (a === b) return 0;
  if (a === 'null') return -1;
  if (b === 'null') return 1;
  const [x, y] = [lsn(a) ?? Number(a), lsn(b) ?? Number(b)];
  if (Number.isNaN(x) || Number.isNaN(y)) return a < b ? -1 : 1;
  return x - y;
}

function lsn(text: string): number | undefined {
  const [, high, low] = /^"([0-9A-F]+)\/([0-9A-F]+)"$/.exec(text) ?? [];
  return high === undefined || low === undefined ? undefined : parseInt(high, 16) * 2 ** 32 + parseInt(low, 16);
}
