import {
  type Observable,
  type SchedulerLike,
  catchError,
  defaultIfEmpty,
  defer,
  filter,
  map,
  merge,
  of,
  repeat,
  switchMap,
  take,
  tap,
  timer,
} from 'rxjs';
import { type DynamicConfig, configIn } from '../patroni/timings-in-force.js';
import { deadline } from './deadline.js';
import type { Answer } from '../patroni/types.js';

/** When patroniglue asks Patroni for its dynamic configuration. */
export interface ConfigAsking {
  /** Emits when Patroni answers a poll. patroniglue waits for this before it asks again, to spare a frozen Patroni. */
  readonly answered$: Observable<unknown>;
  /** Ends a pause early. */
  readonly again$: Observable<unknown>;
  /** The pause after the first request without a configuration, in milliseconds; doubled after each further one. */
  readonly retryMs: () => number;
  /** The pause after a request that brought a configuration, and the longest pause, in milliseconds. */
  readonly everyMs: number;
  /** The longest an answer may take, in milliseconds. */
  readonly deadlineMs: () => number;
  /** Timer and clock at once. */
  readonly scheduler: SchedulerLike;
}

/**
 * Patroni's dynamic configuration. Asks for it at subscription, and after each pause as soon as Patroni has answered a poll.
 * Emits only answers with a configuration. Never errors; does not complete before `answered$` does.
 *
 * @param config$ asks once when subscribed; it may complete without an answer
 */
export function dynamicConfigs(config$: Observable<Answer>, asking: ConfigAsking): Observable<DynamicConfig> {
  const { answered$, again$, retryMs, everyMs, deadlineMs, scheduler } = asking;
  return defer(() => {
    let failures = 0;
    const pauseMs = (): number => (failures === 0 ? everyMs : Math.min(everyMs, retryMs() * 2 ** (failures - 1)));
    return defer(() => config$.pipe(deadline(deadlineMs(), scheduler))).pipe(
      map(configIn),
      defaultIfEmpty(undefined),
      catchError(() => of(undefined)), // caught inside `repeat`: outside, an error would end all further requests
      tap((config) => {
        failures = config === undefined ? failures + 1 : 0;
      }),
      repeat({
        delay: () =>
          merge(timer(pauseMs(), scheduler), again$).pipe(
            take(1),
            switchMap(() => answered$),
            take(1),
          ),
      }),
      filter((config) => config !== undefined),
    );
  });
}
