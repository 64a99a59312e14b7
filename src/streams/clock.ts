import { uptime } from 'node:os';
import { performance } from 'node:perf_hooks';
import { asyncScheduler, type SchedulerLike } from 'rxjs';

/** The three clocks of the system, in milliseconds; replaced in tests. */
export interface ClockSources {
  /** CLOCK_MONOTONIC: ignores steps of the wall clock, but stops while the machine is suspended. */
  readonly monotonicMs: () => number;
  /** CLOCK_BOOTTIME: counts suspended time, too. Coarse (10 ms), and read from a file in /proc. */
  readonly bootMs: () => number;
  /** CLOCK_REALTIME: used only to notice a suspend or a step of the wall clock, never for an age. */
  readonly wallMs: () => number;
}

const systemSources: ClockSources = {
  monotonicMs: () => performance.now(),
  bootMs: () => uptime() * 1000,
  // eslint-disable-next-line no-restricted-properties -- a trigger, not a measure: see createClock
  wallMs: () => Date.now(),
};

/** The resolution of boot time: /proc/uptime has hundredths of a second. If it is not readable, there are only seconds. */
const COARSENESS_MS = 10;
const COARSENESS_WITHOUT_PROC_MS = 1000;

/** If two clocks are read further apart than this, the process stood still in between, and both are read again. */
const READ_TOGETHER_MS = 5;

/**
 * A clock that never goes back, ignores steps of the wall clock, and counts the time in which the machine was suspended.
 * `now()` is in milliseconds from an arbitrary start.
 *
 * Linux's monotonic clock stops in suspend. Boot time does not stop, but it is too coarse and too expensive to read for each
 * reply (and under LXC a program that may hang serves its file). When the machine wakes, the kernel moves the wall clock
 * ahead of the monotonic clock by the time slept, in the same step in which it moves boot time (`timekeeping_resume`). So this
 * clock reads boot time only if these two have moved apart. A step of the wall clock moves them apart, too; then boot time
 * shows no sleep. A sleep counts if it is longer than twice the resolution of boot time. It is counted too long by this
 * resolution rather than too short.
 */
export function createClock(sources: ClockSources = systemSources): { now(): number } {
  const { monotonicMs, bootMs, wallMs } = sources;
  let wallLead = leadOf(wallMs, monotonicMs);
  let bootLead = leadOf(bootMs, monotonicMs);
  let suspendedMs = 0;

  const noticeSleep = (): void => {
    wallLead = leadOf(wallMs, monotonicMs);
    const lead = leadOf(bootMs, monotonicMs);
    const coarsenessMs = bootMs() % 1000 === 0 ? COARSENESS_WITHOUT_PROC_MS : COARSENESS_MS;
    // Compare with the last reading, not with the first: one wrong reading must not hide a later sleep.
    const sleptMs = lead - bootLead;
    bootLead = lead;
    if (sleptMs > 2 * coarsenessMs) suspendedMs += sleptMs + coarsenessMs;
  };

  return {
    now() {
      const readMs = monotonicMs();
      if (Math.abs(wallMs() - readMs - wallLead) <= 2 * COARSENESS_MS) return readMs + suspendedMs;
      noticeSleep();
      return monotonicMs() + suspendedMs;
    },
  };
}

/** How far a clock is ahead of the monotonic clock. */
function leadOf(clockMs: () => number, monotonicMs: () => number): number {
  for (;;) {
    const beforeMs = monotonicMs();
    const lead = clockMs() - beforeMs;
    if (monotonicMs() - beforeMs <= READ_TOGETHER_MS) return lead;
  }
}

/**
 * The scheduler of production: RxJS's own timers, with `now()` from {@link createClock}. Timers stop in suspend, so each
 * reader of a snapshot must check its age again.
 */
export function createScheduler(clock: { now(): number } = createClock()): SchedulerLike {
  return {
    now: () => clock.now(),
    schedule: asyncScheduler.schedule.bind(asyncScheduler),
  };
}
