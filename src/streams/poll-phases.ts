/** Each multiple of it, modulo 1, is far from the multiples before. */
const GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2;

/**
 * Gives each polled route its own moment in the interval: many polls at once would delay the event loop and Patroni. Each
 * call returns the next route's moment, in milliseconds from the interval's beginning.
 */
export function createPollPhases(): (intervalMs: number) => number {
  let given = 0;
  return (intervalMs) => {
    given += 1;
    return ((given * GOLDEN_RATIO) % 1) * intervalMs;
  };
}
