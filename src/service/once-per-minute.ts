/** The time between two lines of the same kind, for kinds that a client or a network can cause again and again. */
const QUIET_MS = 60_000;

/** Passes on the first call, and drops the calls of the next minute. */
export function oncePerMinute<A extends unknown[]>(write: (...args: A) => void): (...args: A) => void {
  let quiet = false;
  return (...args) => {
    if (quiet) return;
    quiet = true;
    setTimeout(() => (quiet = false), QUIET_MS).unref();
    write(...args);
  };
}
