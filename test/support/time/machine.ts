import type { ClockSources } from '../../../src/streams/clock.js';

/** A machine whose three clocks the test moves. Boot time is as coarse as Linux gives it. */
export interface Machine extends ClockSources {
  wait(ms: number): void;
  suspend(ms: number): void;
  stepWallClock(ms: number): void;
  forgetBoot(ms: number): void;
}

/** A machine that has been up for some hours. */
export function createMachine(): Machine {
  const HOUR = 3_600_000;
  let monotonic = 5 * HOUR;
  let boot = 7 * HOUR + 4;
  let wall = 1_000_000 * HOUR;
  return {
    monotonicMs: () => monotonic,
    bootMs: () => Math.floor(boot / 10) * 10,
    wallMs: () => Math.floor(wall),
    wait(ms) {
      monotonic += ms;
      boot += ms;
      wall += ms;
    },
    suspend(ms) {
      boot += ms;
      wall += ms;
    },
    stepWallClock(ms) {
      wall += ms;
    },
    forgetBoot(ms) {
      boot -= ms;
    },
  };
}
