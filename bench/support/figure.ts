/** One number (or, of several things at once, a text) and what it must be. */
export interface Measure {
  readonly name: string;
  readonly value: number | string;
  readonly unit?: 'ms' | 's' | 'MB' | '%';
  /** The least and the most of the rounds of which `value` is the median. */
  readonly spread?: readonly [number, number];
  /** Decimals to show. */
  readonly digits?: number;
  /** Required: more than this (or as much, for `below`) and the bench fails. */
  readonly atMost?: number;
  readonly below?: number;
  /** Required: less than this and the bench fails. */
  readonly atLeast?: number;
}

/** What was measured of one case; cases that measure the same share a table. */
export interface Row {
  readonly label: string;
  readonly measures: readonly Measure[];
}

/** One of the bench's subjects. */
export interface Figure {
  /** For `--only`. */
  readonly name: string;
  /** A sentence: what is done, and what counts. */
  readonly title: string;
  /** Starts all that it needs and leaves nothing running. */
  readonly run: () => Promise<Taken>;
}

/** A picture, as SVG. */
export interface Picture {
  /** Of its file, without `.svg`. */
  readonly name: string;
  readonly svg: string;
}

/** What was measured, in numbers and in pictures. */
interface Taken {
  readonly rows: readonly Row[];
  readonly pictures?: readonly Picture[];
}

/** A figure, taken. */
export interface Result extends Taken {
  readonly name: string;
  readonly title: string;
}

/** Whether a measure keeps its bound. NaN (nothing was measured) does not. */
export function keepsBound({ value, atMost, below, atLeast }: Measure): boolean {
  if (atLeast !== undefined) return typeof value === 'number' && value >= atLeast;
  if (atMost !== undefined) return typeof value === 'number' && value <= atMost;
  if (below !== undefined) return typeof value === 'number' && value < below;
  return true;
}
