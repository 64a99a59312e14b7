import type { Said } from '../test/safety/leaders.js';
import type { Picture } from './figure.js';
import { COLOURS, draw } from './plot.js';

/** Who said 200 to /primary, and when, in seconds from the moment at which the HA loop of `old` was made to hang. */
export function drawLease(said: readonly Said[], hungMs: number, old: string): Picture {
  const nameOf = ({ node, by }: Said): string =>
    `${node === old ? 'old' : 'new'} primary: ${by === 'patroni' ? 'Patroni' : 'patroniglue'}`;
  const names = [
    'old primary: Patroni',
    'old primary: patroniglue',
    'new primary: Patroni',
    'new primary: patroniglue',
  ];
  const x = { type: 'value', name: 'seconds from the hang of its HA loop', nameLocation: 'middle', nameGap: 25 };
  const points = (name: string) =>
    said
      .filter((one) => one.status === 200 && nameOf(one) === name)
      .map(({ sentMs }) => [(sentMs - hungMs) / 1000, name]);
  return draw(
    'lease',
    { width: 900, height: 300 },
    {
      title: { text: '200 to /primary, while the HA loop hangs and the API answers', left: 'center' },
      color: [COLOURS[6], COLOURS[0], COLOURS[6], COLOURS[0]],
      grid: { left: 190, right: 30, top: 50, height: 180 },
      xAxis: { ...x, min: 'dataMin', max: 'dataMax' },
      yAxis: { type: 'category', data: names.toReversed() },
      series: names.map((name) => ({ type: 'scatter', name, symbol: 'rect', symbolSize: [3, 22], data: points(name) })),
    },
  );
}
