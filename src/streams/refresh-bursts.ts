import { type Observable, type SchedulerLike, from, mergeMap, map, switchMap, throttle, timer } from 'rxjs';

/**
 * When polls are made in a burst, in milliseconds from its beginning: close together at first, since what Patroni tells of is
 * under way, and for two seconds, since it may take its time.
 */
export const BURST_STEPS_MS = [0, 50, 100, 200, 350, 550, 800, 1100, 1500, 2000] as const;

const BURST_MS = BURST_STEPS_MS[BURST_STEPS_MS.length - 1] ?? 0;

/**
 * A burst of moments for each emission of `refresh$`: the step of the burst, as in {@link BURST_STEPS_MS}. There is one burst
 * at a time; whatever is emitted during one is one more burst, after it. Ends when `refresh$` has, with the last burst.
 */
export function bursts(refresh$: Observable<unknown>, scheduler: SchedulerLike): Observable<number> {
  return refresh$.pipe(
    throttle(() => timer(BURST_MS + 1, scheduler), { leading: true, trailing: true }),
    switchMap(() =>
      from(BURST_STEPS_MS).pipe(mergeMap((stepMs, step) => timer(stepMs, scheduler).pipe(map(() => step)))),
    ),
  );
}
