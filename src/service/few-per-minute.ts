/** In this time, at most so many calls are passed on at once. */
const QUIET = { ms: 60_000, calls: 4 } as const;

/**
 * Passes on the first calls of a minute at once. Of the further ones it passes on the last one, at the end of the minute: so
 * what changes again and again does not fill the log, and the log still has what holds in the end.
 */
export function fewPerMinute<T>(write: (value: T) => void): (value: T) => void {
  let calls = 0;
  let left: { readonly value: T } | undefined;
  const call = (value: T): void => {
    calls += 1;
    if (calls === 1) {
      setTimeout(() => {
        const last = left;
        [calls, left] = [0, undefined];
        if (last) call(last.value);
      }, QUIET.ms).unref();
    }
    if (calls <= QUIET.calls) write(value);
    else left = { value };
  };
  return call;
}
