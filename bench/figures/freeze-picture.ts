import { type Check, waitedMs } from '../support/checks.js';
import type { Picture } from '../support/figure.js';
import { COLOURS, draw } from '../support/plot.js';

const BUCKET_MS = 500;

const STATUSES = [
  { name: '200', colour: '#2a9d4e', has: (status: number) => status === 200 },
  { name: 'another status (503, 504)', colour: '#e0a100', has: (status: number) => status > 0 && status !== 200 },
  { name: 'no reply within 10 s', colour: '#c62828', has: (status: number) => status === 0 },
];

/** One who was checked through a freeze. */
export interface Frozen {
  readonly name: string;
  readonly checks: readonly Check[];
  readonly frozenMs: number;
  readonly thawedMs: number;
}

/** Above, the longest that a check waited in each half of a second; below, what most of them were told. */
export function drawFreeze(all: readonly Frozen[]): Picture {
  const names = all.map(({ name }) => name);
  const [left, right] = [170, 20];
  const x = { type: 'value', min: -15, max: 20, name: 'seconds from the freeze', nameLocation: 'middle', nameGap: 25 };
  const frozen = { silent: true, itemStyle: { color: '#eceff3' }, data: [[{ xAxis: 0 }, { xAxis: 15 }]] };
  const waits = all.map((one, index) => ({
    type: 'line',
    name: one.name,
    showSymbol: false,
    lineStyle: { width: index === 0 ? 2.5 : 1.5 },
    z: all.length - index,
    data: buckets(one).map(({ seconds, checks }) => [seconds, Math.max(...checks.map(waitedMs))]),
    ...(index === 0 && { markArea: frozen }),
  }));
  const replies = STATUSES.map(({ name, colour, has }) => ({
    type: 'scatter',
    name,
    xAxisIndex: 1,
    yAxisIndex: 1,
    symbol: 'rect',
    symbolSize: [10.5, 12],
    itemStyle: { color: colour },
    data: all.flatMap((one) =>
      buckets(one)
        .filter(({ checks }) => has(mostOften(checks.map(({ status }) => status))))
        .map(({ seconds }) => [seconds, one.name]),
    ),
  }));
  return draw(
    'freeze',
    { width: 900, height: 640 },
    {
      title: { text: 'Health checks while Patroni’s API is frozen for 15 s', left: 'center' },
      color: COLOURS,
      legend: [
        { top: 38, itemGap: 18, data: names },
        { bottom: 0, itemGap: 18, data: STATUSES.map(({ name }) => name) },
      ],
      grid: [
        { left, right, top: 90, height: 265 },
        { left, right, top: 420, height: 140 },
      ],
      xAxis: [x, { ...x, gridIndex: 1 }],
      yAxis: [
        { type: 'log', min: 0.1, name: 'longest wait, ms', nameLocation: 'middle', nameGap: 60 },
        { type: 'category', data: names.toReversed(), gridIndex: 1 },
      ],
      series: [...waits, ...replies],
    },
  );
}

interface Bucket {
  readonly seconds: number;
  readonly checks: readonly Check[];
}

function buckets({ checks, frozenMs }: Frozen): readonly Bucket[] {
  const byBucket = new Map<number, Check[]>();
  for (const check of checks) {
    const bucket = Math.floor((check.dueMs - frozenMs) / BUCKET_MS);
    byBucket.set(bucket, [...(byBucket.get(bucket) ?? []), check]);
  }
  return [...byBucket].map(([bucket, inIt]) => ({ seconds: ((bucket + 0.5) * BUCKET_MS) / 1000, checks: inIt }));
}

function mostOften(values: readonly number[]): number {
  const count = (value: number): number => values.filter((other) => other === value).length;
  return [...new Set(values)].sort((a, b) => count(b) - count(a))[0] ?? 0;
}
