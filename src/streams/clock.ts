import { uptime } from 'node:os';
import { performance } from 'node:perf_hooks';
import { asyncScheduler, type SchedulerLike } from 'rxjs';

/** The three clocks that are read, in milliseconds; replaced in tests. */
export interface ClockSources {
  /** CLOCK_MONOTONIC: unmoved by steps of the wall clock, but stands still while the machine is suspended. */
  readonly monotonicMs: () => number;
  /** CLOCK_BOOTTIME: counts the suspended time too. Coarse (10 ms), and a file of /proc is read for it. */
  readonly bootMs: () => number;
  /** CLOCK_REALTIME: read only to notice that something happened to time, never for an age. */
  readonly wallMs: () => number;
}

const systemSources: ClockSources = {
  monotonicMs: () => performance.now(),
  bootMs: () => uptime() * 1000,
  // eslint-disable-next-line no-restricted-properties -- a trigger, not a measure: see createClock
  wallMs: () => Date.now(),
};

/** Steps in which boot time is told: /proc/uptime has hundredths; where it cannot be read there are whole seconds. */
const COARSENESS_MS = 10;
const COARSENESS_WITHOUT_PROC_MS = 1000;

/** Two clocks that were read further apart than this were not read together: the process stood still in between. */
const READ_TOGETHER_MS = 5;

/**
 * A clock that never goes back, that no step of the wall clock moves, and that counts the time in which the machine
 * was suspended. `now()` is in milliseconds from an arbitrary start.
 *
 * Linux's monotonic clock stops in suspend, and boot time, which does not, is too coarse and too dear to read for each
 * reply (and under LXC its file is served by a program that may hang). But waking moves the wall clock against the
 * monotonic one by the time slept, in the same step of the kernel that moves boot time (`timekeeping_resume`). So boot
 * time is read only after those two have moved apart, which a stepped wall clock causes too: then it shows no sleep.
 * A sleep counts from twice the coarseness of boot time up, and is taken too high by it rather than too low.
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
    // From one look to the next, not from the start: one that was wrong must not hide a later sleep.
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

/** How far a clock is ahead of the monotonic one. */
function leadOf(clockMs: () => number, monotonicMs: () => number): number {
  for (;;) {
    const beforeMs = monotonicMs();
    const lead = clockMs() - beforeMs;
    if (monotonicMs() - beforeMs <= READ_TOGETHER_MS) return lead;
  }
}

/**
 * The scheduler of production: RxJS's own timers, with `now()` from {@link createClock}. Timers do stop in suspend;
 * whoever reads a snapshot checks its age again.
 */
export function createScheduler(clock: { now(): number } = createClock()): SchedulerLike {
  return {
    now: () => clock.now(),
    schedule: asyncScheduler.schedule.bind(asyncScheduler),
  };
}
