/** The quantile of `values` by nearest rank: a `share` of them is at or below it. NaN if there are no values. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}

/** The middle value. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The median of several rounds, and the smallest and the largest value, as a {@link Measure} has them. */
export function spreadOf(values: readonly number[]): { value: number; spread?: readonly [number, number] } {
  const ends = [quantile(values, 0), quantile(values, 1)] as const;
  return { value: median(values), ...(values.length > 1 && { spread: ends }) };
}

/** How often each value occurs, in order of first appearance: `200 × 31, 503 × 4`. */
export function tally(values: readonly (number | string)[]): string {
  const counts = new Map<number | string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].map(([value, count]) => `${value} × ${count}`).join(', ');
}
