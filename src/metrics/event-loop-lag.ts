import { monitorEventLoopDelay } from 'node:perf_hooks';
import { type Observable, type SchedulerLike, defer, finalize, map, timer } from 'rxjs';

/**
 * How often libuv measures the delay, in milliseconds. A shorter delay may be missed. No JavaScript runs for this, but each
 * measurement wakes the process: with 10 ms, this took a sixth of the CPU time of an idle service.
 */
const RESOLUTION_MS = 50;
const EVERY_MS = 1000;

/** Emits once a second the longest time in that second for which the event loop answered nobody, in milliseconds. */
export function eventLoopLag(scheduler: SchedulerLike): Observable<number> {
  return defer(() => {
    const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    delay.enable();
    return timer(EVERY_MS, EVERY_MS, scheduler).pipe(
      map(() => {
        const longestMs = delay.max / 1e6 - RESOLUTION_MS; // between two measurements: the resolution plus the delay
        delay.reset();
        return Math.max(0, longestMs);
      }),
      finalize(() => delay.disable()),
    );
  });
}
