/** A stream of numbers from 0 up to 1 that its seed tells in full (mulberry32), so that a failure can be run again. */
export interface Random {
  readonly seed: number;
  /** From `least` up to `most`. */
  between(least: number, most: number): number;
  /** True so often out of 1. */
  chance(share: number): boolean;
}

/** Seeded by TEST_SEED where that is set, and otherwise anew each time. */
export function createRandom(seed = Number(process.env['TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 32))): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    seed,
    between: (least, most) => least + next() * (most - least),
    chance: (share) => next() < share,
  };
}
