import type { Check, Sample } from './sampler.js';
import type { Played } from './story.js';
import type { Glyph, Style } from './style.js';

/** How the time from `startedAtMs` to `startedAtMs + forMs` is cut into columns. */
export interface Scale {
  readonly startedAtMs: number;
  readonly forMs: number;
  readonly cellMs: number;
}

/** The finest scale, in tenths of a second, at which so much time fits into `columns`. */
export function createScale(startedAtMs: number, forMs: number, columns: number): Scale {
  return { startedAtMs, forMs, cellMs: Math.max(2, Math.ceil(forMs / columns / 100)) * 100 };
}

/** One column for each cell that has begun; of several checks in a cell the worst counts. */
export function checkCells(checks: readonly Check[], scale: Scale, nowMs: number): readonly (Glyph | undefined)[] {
  return cells(scale, nowMs, (fromMs, toMs) => {
    const glyphs = within(checks, fromMs, toMs).map(({ end }): Glyph | undefined => {
      if (end === undefined) return undefined;
      if (end.value.kind !== 'status') return 'nothing';
      return end.value.status === 200 ? 'ok' : 'unavailable';
    });
    return (['nothing', 'unavailable', 'ok'] as const).find((glyph) => glyphs.includes(glyph));
  });
}

/** HAProxy's view: `unavailable` where the server was down at any time in the cell. */
export function serverCells(
  states: readonly Sample<string | undefined>[],
  scale: Scale,
  nowMs: number,
): readonly (Glyph | undefined)[] {
  return cells(scale, nowMs, (fromMs, toMs) => {
    const words = within(states, fromMs, toMs).flatMap(({ end }) => (end?.value === undefined ? [] : [end.value]));
    if (words.length === 0) return undefined;
    return words.every((word) => word.startsWith('UP')) ? 'ok' : 'unavailable';
  });
}

export function sceneCells(played: readonly Played[], scale: Scale, nowMs: number): readonly (Glyph | undefined)[] {
  return cells(scale, nowMs, (_, toMs) => {
    const scene = played.findLast(({ startedAtMs }) => startedAtMs < toMs)?.name ?? 'healthy';
    return scene === 'healthy' ? 'ok' : scene;
  });
}

/** `0 s`, `5 s`, ... under the columns where they begin. */
export function ruler({ forMs, cellMs }: Scale): string {
  let line = '';
  for (let seconds = 0; seconds * 1000 < forMs; seconds += 5) {
    line = line.padEnd(Math.floor((seconds * 1000) / cellMs)) + `${seconds} s`;
  }
  return line;
}

/** Columns as text, each run of equal ones coloured as a whole; waited-for ones are dots. */
export function paint(columns: readonly (Glyph | undefined)[], style: Style): string {
  const colour = {
    ok: style.good,
    unavailable: style.warning,
    nothing: style.bad,
    frozen: style.cold,
    'api-frozen': style.cold,
  };
  const drawn = columns.map((glyph) => (glyph === undefined ? '.' : style.glyphs[glyph]));
  let line = '';
  for (let from = 0, to = 0; from < columns.length; from = to) {
    while (to < columns.length && columns[to] === columns[from]) to += 1;
    const glyph = columns[from];
    const run = drawn.slice(from, to).join('');
    line += glyph === undefined ? style.dim(run) : colour[glyph](run);
  }
  return line;
}

function cells(
  { startedAtMs, forMs, cellMs }: Scale,
  nowMs: number,
  cell: (fromMs: number, toMs: number) => Glyph | undefined,
): readonly (Glyph | undefined)[] {
  const begun = Math.ceil(Math.min(nowMs - startedAtMs, forMs) / cellMs);
  return Array.from({ length: begun }, (_, index) => {
    const fromMs = startedAtMs + index * cellMs;
    return cell(fromMs, fromMs + cellMs);
  });
}

function within<T>(samples: readonly Sample<T>[], fromMs: number, toMs: number): readonly Sample<T>[] {
  return samples.filter(({ startedAtMs }) => startedAtMs >= fromMs && startedAtMs < toMs);
}
