import { monitorEventLoopDelay } from 'node:perf_hooks';
import { type Observable, type SchedulerLike, defer, finalize, map, timer } from 'rxjs';

/** How often libuv measures the delay, in milliseconds. No JavaScript runs for this. */
const RESOLUTION_MS = 10;
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
