/** A measured number (or a text, for several values) and its bound. */
export interface Measure {
  readonly name: string;
  readonly value: number | string;
  readonly unit?: 'ms' | 's' | 'MB' | '%';
  /** The smallest and the largest value of the rounds. `value` is their median. */
  readonly spread?: readonly [number, number];
  /** Decimals to show. */
  readonly digits?: number;
  /** The bench fails if the value is greater than `atMost`, or not less than `below`. */
  readonly atMost?: number;
  readonly below?: number;
  /** The bench fails if the value is less than this. */
  readonly atLeast?: number;
}

/** The measures of one case. Cases with the same measures share a table. */
export interface Row {
  readonly label: string;
  readonly measures: readonly Measure[];
}

/** One of the bench's subjects. */
export interface Figure {
  /** The name for `--only`. */
  readonly name: string;
  /** A sentence: what the bench does, and what it measures. */
  readonly title: string;
  /** Starts everything that it needs, and stops it at the end. */
  readonly run: () => Promise<Taken>;
}

/** A picture, as SVG. */
export interface Picture {
  /** The name of its file, without `.svg`. */
  readonly name: string;
  readonly svg: string;
}

/** The result of a measurement: numbers and pictures. */
interface Taken {
  readonly rows: readonly Row[];
  readonly pictures?: readonly Picture[];
}

/** A figure with its measurement. */
export interface Result extends Taken {
  readonly name: string;
  readonly title: string;
}

/** True if a measure is within its bound. NaN (nothing was measured) is not. */
export function keepsBound({ value, atMost, below, atLeast }: Measure): boolean {
  if (atLeast !== undefined) return typeof value === 'number' && value >= atLeast;
  if (atMost !== undefined) return typeof value === 'number' && value <= atMost;
  if (below !== undefined) return typeof value === 'number' && value < below;
  return true;
}
