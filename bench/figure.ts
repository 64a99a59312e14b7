/** One number (or, of several things at once, a text) and what it must be. */
export interface Measure {
  readonly name: string;
  readonly value: number | string;
  readonly unit?: 'ms' | 'MB';
  /** Decimals to show. */
  readonly digits?: number;
  /** Required: more than this (or as much, for `below`) and the bench fails. */
  readonly atMost?: number;
  readonly below?: number;
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
  readonly run: () => Promise<readonly Row[]>;
}

/** A figure, taken. */
export interface Result {
  readonly name: string;
  readonly title: string;
  readonly rows: readonly Row[];
}

/** Whether a measure keeps its bound. NaN (nothing was measured) does not. */
export function keepsBound({ value, atMost, below }: Measure): boolean {
  if (atMost !== undefined) return typeof value === 'number' && value <= atMost;
  if (below !== undefined) return typeof value === 'number' && value < below;
  return true;
}
