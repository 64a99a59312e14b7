import type { Said } from '../../test/tools/safety/leaders.js';
import { union } from '../../test/tools/safety/spans.js';
import type { Picture } from '../support/figure.js';
import { COLOURS, draw } from '../support/plot.js';

/** What happened in the picture, in milliseconds from the moment at which the HA loop was made to hang. */
export interface LeaseMoments {
  /** The last 200 through the old primary's patroniglue. */
  readonly ourLastMs: number;
  /** The first 200 of the new primary. */
  readonly promotedMs: number;
}

/** Who said 200 to /primary, and when, in seconds from the moment at which the HA loop of `old` was made to hang. */
export function drawLease(
  said: readonly Said[],
  hungMs: number,
  old: string,
  everyMs: number,
  moments: LeaseMoments,
): Picture {
  const places = [
    ['old', 'patroni'],
    ['old', 'patroniglue'],
    ['new', 'patroni'],
    ['new', 'patroniglue'],
  ] as const;
  const nameOf = (which: string, by: string): string =>
    `${which} primary: ${by === 'patroni' ? 'Patroni' : 'patroniglue'}`;
  const seconds = (ms: number): number => Math.round((ms - hungMs) / 10) / 100;
  const spansOf = (which: 'old' | 'new', by: Said['by']): (readonly [number, string] | null)[] => {
    const here = said.filter((one) => one.by === by && (one.node === old) === (which === 'old') && one.status === 200);
    // one asked every so often: two that follow each other are one span
    const spans = union(here.map(({ sentMs }) => ({ fromMs: sentMs, toMs: sentMs + 3 * everyMs })));
    const name = nameOf(which, by);
    return spans.flatMap(({ fromMs, toMs }) => [[seconds(fromMs), name], [seconds(toMs - 2 * everyMs), name], null]);
  };
  const edge = (ms: number, label: string, position: string) => ({
    xAxis: ms / 1000,
    label: { formatter: label, position, distance: [0, 4] },
  });
  const lead = ((moments.promotedMs - moments.ourLastMs) / 1000).toFixed(1);
  return draw(
    'lease',
    { width: 900, height: 300 },
    {
      title: { text: '200 to /primary while the HA loop hangs and the API answers', left: 'center' },
      grid: { left: 190, right: 40, top: 70, height: 160 },
      xAxis: {
        ...{ type: 'value', name: 'seconds from the hang', nameLocation: 'middle', nameGap: 28 },
        ...{
          min: 'dataMin',
          max: 'dataMax',
          axisLabel: { formatter: '{value}', showMinLabel: false, showMaxLabel: false },
        },
      },
      yAxis: { type: 'category', data: places.map(([which, by]) => nameOf(which, by)).toReversed() },
      series: places.map(([which, by], index) => ({
        ...{ type: 'line', symbol: 'none', data: spansOf(which, by), silent: true },
        lineStyle: { width: 18, cap: 'butt', color: by === 'patroni' ? COLOURS[6] : COLOURS[0] },
        ...(index === 0 && {
          markLine: {
            ...{ symbol: 'none', silent: true, lineStyle: { color: '#000', type: 'dashed' } },
            data: [edge(moments.ourLastMs, `${lead} s before`, 'end'), edge(moments.promotedMs, 'promotion', 'end')],
          },
        }),
      })),
    },
  );
}
