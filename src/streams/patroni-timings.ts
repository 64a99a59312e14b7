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

/** When Patroni is asked for its dynamic configuration. */
export interface ConfigAsking {
  /** Emits as polls of Patroni are answered. It is asked again then and not before, so that a frozen one is spared. */
  readonly answered$: Observable<unknown>;
  /** Emits when the pause is over before its time. */
  readonly again$: Observable<unknown>;
  /** The pause after the first question that brought nothing, in milliseconds; it is twice as long after each further one. */
  readonly retryMs: () => number;
  /** The pause after one that brought something, and the longest, in milliseconds. */
  readonly everyMs: number;
  /** The longest that an answer may take, in milliseconds. */
  readonly deadlineMs: () => number;
  /** Timer and clock at once. */
  readonly scheduler: SchedulerLike;
}

/**
 * Patroni's dynamic configuration: asked for at subscription, and after each pause as soon as a poll was answered. What
 * Patroni does not answer changes nothing. Never errors; does not complete before `answered$` does.
 *
 * @param config$ asks once when subscribed; where it completes without an answer, that brought nothing
 */
export function dynamicConfigs(config$: Observable<Answer>, asking: ConfigAsking): Observable<DynamicConfig> {
  const { answered$, again$, retryMs, everyMs, deadlineMs, scheduler } = asking;
  return defer(() => {
    let failures = 0;
    const pauseMs = (): number => (failures === 0 ? everyMs : Math.min(everyMs, retryMs() * 2 ** (failures - 1)));
    return defer(() => config$.pipe(deadline(deadlineMs(), scheduler))).pipe(
      map(configIn),
      defaultIfEmpty(undefined),
      catchError(() => of(undefined)), // next to the request: outside of `repeat` it would end the asking for good
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
