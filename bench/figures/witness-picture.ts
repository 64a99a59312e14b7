import type { Said } from '../../test/tools/safety/leaders.js';
import type { Picture } from '../support/figure.js';
import { COLOURS, draw } from '../support/plot.js';
import type { ApiFreeze, WholeFreeze } from '../witness/scenes.js';
import { WAYS, type Way } from '../witness/stand.js';
import { firstOfNext, lastOfOld } from './witness-rows.js';

/** What a bar says. Colours that colour-blind people can distinguish. */
const KINDS = {
  good: { name: '200; HAProxy: UP', colour: COLOURS[0] },
  bad: { name: '503; HAProxy: DOWN', colour: COLOURS[1] },
  silent: { name: 'no reply within 2 s', colour: COLOURS[2] },
};
type Kind = keyof typeof KINDS;

/** A thing seen again and again. */
interface Seen {
  readonly atMs: number;
  readonly kind: Kind;
}

/** A line of the picture. */
interface Lane {
  readonly name: string;
  readonly width: number;
  readonly seen: readonly Seen[];
}

const LABELS: Readonly<Record<Way, string>> = {
  patroni: 'Patroni itself',
  without: 'patroniglue',
  with: 'patroniglue with the witness',
};
const BEFORE_MS = 10_000;
const AFTER_MS = 9000;

/** Above, the freeze of the API alone: what each way said, and how HAProxy had the server. Below, the freeze of all. */
export function drawWitness(api: ApiFreeze, whole: WholeFreeze): Picture {
  const above = WAYS.flatMap((way): Lane[] => [
    { name: LABELS[way], width: 14, seen: repliesOf(api, api.old, way) },
    { name: `HAProxy that checks ${LABELS[way]}`, width: 6, seen: serverOf(api, way) },
  ]);
  const below = [
    ...WAYS.map((way): Lane => ({ name: LABELS[way], width: 14, seen: repliesOf(whole, whole.old, way) })),
    { name: 'the new primary: Patroni', width: 14, seen: repliesOf(whole, whole.next, 'patroni') },
  ];
  const seconds = (ms: number, { frozenMs }: { readonly frozenMs: number }): number => (ms - frozenMs) / 1000;
  const [lastMs, promotedMs] = [lastOfOld(whole, 'with'), firstOfNext(whole)];
  const [left, right] = [200, 30];
  const axis = (gridIndex: number, from: number, to: number) => ({
    ...{ type: 'value', gridIndex, min: from, max: to, nameLocation: 'middle', nameGap: 26 },
    ...{ name: 'seconds from the freeze', axisLabel: { showMinLabel: false, showMaxLabel: false } },
    splitLine: { show: false },
  });
  const lanes = (gridIndex: number, all: readonly Lane[]) => ({
    ...{ type: 'category', gridIndex, data: all.map(({ name }) => name).toReversed(), axisTick: { show: false } },
    axisLabel: { interval: 0, formatter: (name: string) => name.replace(/^(HAProxy) .*/, '$1') },
  });
  const area = (to: number) => ({
    ...{ silent: true, itemStyle: { color: '#eceff3' }, data: [[{ xAxis: 0 }, { xAxis: to }]] },
  });
  const edge = (ms: number, label: string, position: string) => ({
    xAxis: seconds(ms, whole),
    label: { formatter: label, position, distance: [0, 4] },
  });
  const lead = ((promotedMs - lastMs) / 1000).toFixed(1);
  const frozenFor = Math.round(seconds(api.endedMs, api));
  const series = (gridIndex: number, all: readonly Lane[], freeze: ApiFreeze | WholeFreeze, untilMs: number) =>
    (Object.keys(KINDS) as Kind[]).flatMap((kind) =>
      [14, 6].map((width) => ({
        ...{ type: 'line', name: KINDS[kind].name, xAxisIndex: gridIndex, yAxisIndex: gridIndex },
        ...{ symbol: 'none', silent: true, color: KINDS[kind].colour },
        lineStyle: { width, cap: 'butt', color: KINDS[kind].colour },
        data: all
          .filter((lane) => lane.width === width)
          .flatMap((lane) => spansOf(lane.seen, kind, freeze.frozenMs - BEFORE_MS, untilMs, lane.name, freeze)),
      })),
    );
  const untilMs = api.thawedMs + AFTER_MS;
  const upper = series(0, above, api, untilMs);
  const lower = series(1, below, whole, whole.endedMs);
  return draw(
    'witness',
    { width: 900, height: 500 },
    {
      title: [
        { text: `Only the API of Patroni is frozen, for ${frozenFor} s`, left: 'center', top: 0 },
        { text: 'All of Patroni is frozen, and another node is promoted', left: 'center', top: 262 },
      ].map((title) => ({ ...title, textStyle: { fontSize: 15 } })),
      legend: { bottom: 0, itemGap: 24, data: Object.values(KINDS).map(({ name }) => ({ name, icon: 'rect' })) },
      grid: [
        { left, right, top: 30, height: 170 },
        { left, right, top: 308, height: 112 },
      ],
      xAxis: [
        axis(0, -BEFORE_MS / 1000, seconds(untilMs, api)),
        axis(1, -BEFORE_MS / 1000, seconds(whole.endedMs, whole)),
      ],
      yAxis: [lanes(0, above), lanes(1, below)],
      series: [
        ...upper.map((one, index) => (index === 0 ? { ...one, markArea: area(seconds(api.endedMs, api)) } : one)),
        ...lower.map((one, index) => ({
          ...one,
          ...(index === 0 && {
            markArea: area(seconds(whole.endedMs, whole)),
            markLine: {
              ...{ symbol: 'none', silent: true, lineStyle: { color: '#000', type: 'dashed' } },
              data: [edge(lastMs, `${lead} s before`, 'end'), edge(promotedMs, 'promotion', 'end')],
            },
          }),
        })),
      ],
    },
  );
}

function repliesOf({ said }: { readonly said: readonly Said[] }, node: string, way: Way): readonly Seen[] {
  const kindOf = (status: number): Kind => (status === 200 ? 'good' : status === 0 ? 'silent' : 'bad');
  return said
    .filter((one) => one.node === node && one.by === way)
    .map(({ sentMs, status }) => ({ atMs: sentMs, kind: kindOf(status) }))
    .sort((a, b) => a.atMs - b.atMs);
}

function serverOf({ servers }: Pick<ApiFreeze, 'servers'>, way: Way): readonly Seen[] {
  return servers.filter(({ by }) => by === way).map(({ atMs, isUp }) => ({ atMs, kind: isUp ? 'good' : 'bad' }));
}

/** From the first of a kind to the first of another, as points of a line that is broken between the spans. */
function spansOf(
  seen: readonly Seen[],
  kind: Kind,
  fromMs: number,
  toMs: number,
  name: string,
  { frozenMs }: { readonly frozenMs: number },
): readonly (readonly [number, string] | null)[] {
  const shown = seen.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs);
  const point = (ms: number) => [Math.round((ms - frozenMs) / 10) / 100, name] as const;
  return shown.flatMap((one, index) => {
    if (one.kind !== kind || shown[index - 1]?.kind === kind) return [];
    const next = shown.slice(index).find((other) => other.kind !== kind);
    return [point(one.atMs), point(next?.atMs ?? toMs), null];
  });
}
