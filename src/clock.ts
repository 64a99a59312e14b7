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

/** Boot time comes in steps of 10 ms; twice that is noise. */
const COARSENESS_MS = 20;

/**
 * A clock that never goes back, that no step of the wall clock moves, and that counts the time in which the machine
 * was suspended. `now()` is in milliseconds from an arbitrary start.
 *
 * Linux's monotonic clock stops in suspend, and boot time, which does not, is too coarse and too dear to read for each
 * reply (and under LXC its file is served by a program that may hang). But waking moves the wall clock against the
 * monotonic one by the time slept, in the same step of the kernel that moves boot time (`timekeeping_resume`). So boot
 * time is read only after those two have moved apart, which a stepped wall clock causes too: then it shows no sleep.
 */
export function createClock(sources: ClockSources = systemSources): { now(): number } {
  const { monotonicMs, bootMs, wallMs } = sources;
  const bootLeadAtStart = bootMs() - monotonicMs();
  let wallLead = wallMs() - monotonicMs();
  let suspendedMs = 0;
  return {
    now() {
      const monotonic = monotonicMs();
      const wallLeadNow = wallMs() - monotonic;
      if (Math.abs(wallLeadNow - wallLead) > COARSENESS_MS) {
        wallLead = wallLeadNow;
        const slept = bootMs() - monotonic - bootLeadAtStart;
        // Rounded up: an age may be taken too high by the coarseness, never too low.
        if (slept > suspendedMs + COARSENESS_MS) suspendedMs = slept + COARSENESS_MS;
      }
      return monotonic + suspendedMs;
    },
  };
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
