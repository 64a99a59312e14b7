import {
  type Observable,
  type SchedulerLike,
  concat,
  defer,
  distinctUntilChanged,
  map,
  of,
  startWith,
  switchMap,
  timer,
} from 'rxjs';
import type { PollOutcome } from '../patroni/types.js';

/** How a route is polled, and how long its answers are fresh, in milliseconds. */
export interface OverdueOptions {
  readonly intervalMs: number;
  readonly ttlMs: number;
  /** Timer and clock at once. */
  readonly scheduler: SchedulerLike;
}

/** The last answer still has this share of its time to live when the next one becomes overdue, so that no 503 comes between. */
const LEFT_SHARE = 1 / 8;

/**
 * True while a route's answer is overdue: its poll has been in flight for an interval, or has failed. False from each answer
 * of Patroni on. If the interval is long, or the last answer took long, a poll is overdue earlier, before the last answer
 * ends. Emits at subscription, and at each change. Ends and errors as `outcome$` does.
 */
export function overdue(outcome$: Observable<PollOutcome>, options: OverdueOptions): Observable<boolean> {
  const { intervalMs, ttlMs, scheduler } = options;
  const inFlightMs = Math.min(intervalMs, (ttlMs - intervalMs) / 2);
  const overdueAt = (atMs: number): Observable<boolean> =>
    concat(of(false), defer(() => timer(Math.max(0, atMs - scheduler.now()), scheduler)).pipe(map(() => true)));
  return defer(() => {
    const firstAtMs = scheduler.now() + inFlightMs;
    return outcome$.pipe(
      map((outcome) => {
        if (outcome.kind === 'failed') return of(true);
        const { sentAtMs, endedAtMs } = outcome;
        const ticks = Math.max(1, Math.ceil((endedAtMs - sentAtMs) / intervalMs)); // a tick during a poll is skipped
        return overdueAt(Math.min(sentAtMs + ticks * intervalMs + inFlightMs, sentAtMs + ttlMs * (1 - LEFT_SHARE)));
      }),
      startWith(overdueAt(firstAtMs)),
      switchMap((overdue$) => overdue$), // switchMap: an answer restarts the wait
      distinctUntilChanged(),
    );
  });
}
