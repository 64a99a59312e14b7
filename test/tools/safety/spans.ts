/** From a moment to another, in milliseconds. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** The same moments as spans that are in order and do not touch. */
export function union(spans: readonly Span[]): Span[] {
  const merged: Span[] = [];
  for (const span of [...spans].sort((a, b) => a.fromMs - b.fromMs)) {
    const before = merged.at(-1);
    if (before === undefined || before.toMs < span.fromMs) merged.push(span);
    else merged[merged.length - 1] = { fromMs: before.fromMs, toMs: Math.max(before.toMs, span.toMs) };
  }
  return merged;
}

/** What is in both. */
export function intersect(some: readonly Span[], others: readonly Span[]): Span[] {
  return union(
    some.flatMap((one) =>
      others
        .map(({ fromMs, toMs }) => ({ fromMs: Math.max(fromMs, one.fromMs), toMs: Math.min(toMs, one.toMs) }))
        .filter(({ fromMs, toMs }) => fromMs < toMs),
    ),
  );
}

/** What is in `some` and not in `others`. */
export function subtract(some: readonly Span[], others: readonly Span[]): Span[] {
  const edges = [-Infinity, ...union(others).flatMap(({ fromMs, toMs }) => [fromMs, toMs]), Infinity];
  const between: Span[] = [];
  for (let at = 0; at < edges.length; at += 2) {
    between.push({ fromMs: edges[at] ?? NaN, toMs: edges[at + 1] ?? NaN });
  }
  return intersect(some, between);
}

/** What at least two of the sets have at a time. */
export function shared(sets: readonly (readonly Span[])[]): Span[] {
  return union(sets.flatMap((one, index) => sets.slice(index + 1).flatMap((other) => intersect(one, other))));
}

/** The length of the longest; 0 of none. */
export function longestMs(spans: readonly Span[]): number {
  return Math.max(0, ...spans.map(({ fromMs, toMs }) => toMs - fromMs));
}

/** The length of all together. */
export function totalMs(spans: readonly Span[]): number {
  return union(spans).reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0);
}
