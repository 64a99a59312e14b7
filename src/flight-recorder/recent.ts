/** Values of the last minute or so, with the moment of each. The number of values is bounded. */
export interface Recent<T> {
  add(atMs: number, value: T): void;
  /** The oldest first. */
  list(nowMs: number): readonly { readonly atMs: number; readonly value: T }[];
}

/** Keeps values for `spanMs`, and at most `most` of them. */
export function createRecent<T>(spanMs: number, most: number): Recent<T> {
  let kept: { readonly atMs: number; readonly value: T }[] = [];
  return {
    add(atMs, value) {
      kept.push({ atMs, value });
      if (kept.length > most) kept = kept.slice(-most);
    },
    list(nowMs) {
      kept = kept.filter(({ atMs }) => nowMs - atMs <= spanMs);
      return kept;
    },
  };
}
