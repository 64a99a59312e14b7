import { type Observable, type SchedulerLike, from, mergeMap, map, switchMap, throttle, timer } from 'rxjs';

/**
 * The moments of the polls in a burst, in milliseconds from its beginning. They are close together at first, because the
 * change that Patroni reports is under way, and last for two seconds, because it may take a while.
 */
export const BURST_STEPS_MS = [0, 50, 100, 200, 350, 550, 800, 1100, 1500, 2000] as const;

const BURST_MS = BURST_STEPS_MS[BURST_STEPS_MS.length - 1] ?? 0;

/**
 * A burst for each emission of `refresh$`: emits the index of each step in {@link BURST_STEPS_MS} at its moment. There is one
 * burst at a time; all emissions during a burst cause one more burst after it. Completes after `refresh$` and the last burst.
 */
export function refreshBursts(refresh$: Observable<unknown>, scheduler: SchedulerLike): Observable<number> {
  return refresh$.pipe(
    throttle(() => timer(BURST_MS + 1, scheduler), { leading: true, trailing: true }),
    switchMap(() =>
      from(BURST_STEPS_MS).pipe(mergeMap((stepMs, step) => timer(stepMs, scheduler).pipe(map(() => step)))),
    ),
  );
}
