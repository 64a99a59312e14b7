import {
  EMPTY,
  type Observable,
  type SchedulerLike,
  catchError,
  exhaustMap,
  map,
  scan,
  startWith,
  switchMap,
  timer,
} from 'rxjs';
import type { Answer } from '../snapshot.js';
import { type PatroniTimings, timingsIn } from '../ttl-bound.js';
import { deadline } from './deadline.js';

/** How Patroni's timings are learned. */
export interface TimingsOptions {
  /** Emits when they are to be asked for at once. What is known stays. */
  readonly again$: Observable<unknown>;
  /** From question to question, in milliseconds. */
  readonly everyMs: number;
  /** The longest that an answer may take, in milliseconds. */
  readonly deadlineMs: () => number;
  /** Timer and clock at once. */
  readonly scheduler: SchedulerLike;
}

/**
 * Patroni's timings at subscription, whenever asked to, and every so often; `undefined` until they are known. What Patroni
 * does not answer changes nothing: a frozen one keeps its leader key as long as before. Emits once for each emission of
 * `again$`, too. Never errors.
 */
export function timings(config$: Observable<Answer>, options: TimingsOptions): Observable<PatroniTimings | undefined> {
  const { again$, everyMs, deadlineMs, scheduler } = options;
  return again$.pipe(
    startWith(undefined),
    switchMap(() =>
      timer(0, everyMs, scheduler).pipe(
        exhaustMap(() =>
          config$.pipe(
            deadline(deadlineMs(), scheduler),
            map(timingsIn),
            catchError(() => EMPTY),
          ),
        ),
        startWith(undefined),
      ),
    ),
    scan((known: PatroniTimings | undefined, now) => now ?? known, undefined),
  );
}
