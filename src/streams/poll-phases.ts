/** Multiples of it, modulo 1, are each far from those before them. */
const GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2;

/**
 * Gives each route that is polled a moment of its own in the interval: many polls at once would hold up the event loop,
 * and Patroni. Each call returns the next route's moment, in milliseconds from the interval's beginning.
 */
export function createPhases(): (intervalMs: number) => number {
  let given = 0;
  return (intervalMs) => {
    given += 1;
    return ((given * GOLDEN_RATIO) % 1) * intervalMs;
  };
}
