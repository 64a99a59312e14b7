/** Multiples of it, modulo 1, are each far from all before them. */
const GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2;

/**
 * Gives each route that is polled a moment of its own in the interval: many polls at once would hold up the event loop,
 * and Patroni. Each call returns the milliseconds from now to the next route's moment, less than the interval.
 */
export function createSlots(nowMs: () => number): (intervalMs: number) => number {
  let given = 0;
  return (intervalMs) => {
    given += 1;
    const slotMs = ((given * GOLDEN_RATIO) % 1) * intervalMs;
    return (slotMs + intervalMs - (nowMs() % intervalMs)) % intervalMs;
  };
}
