import { monitorEventLoopDelay } from 'node:perf_hooks';
import { type Observable, type SchedulerLike, defer, finalize, map, timer } from 'rxjs';

/** How often the delay is looked at, in milliseconds: in libuv, and not in JavaScript. */
const RESOLUTION_MS = 10;
const EVERY_MS = 1000;

/** The longest time in each second for which the event loop answered nobody, in milliseconds. */
export function eventLoopLag(scheduler: SchedulerLike): Observable<number> {
  return defer(() => {
    const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    delay.enable();
    return timer(EVERY_MS, EVERY_MS, scheduler).pipe(
      map(() => {
        const longestMs = delay.max / 1e6 - RESOLUTION_MS; // from look to look: what is on top of the resolution is delay
        delay.reset();
        return Math.max(0, longestMs);
      }),
      finalize(() => delay.disable()),
    );
  });
}
