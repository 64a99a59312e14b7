import {
  EMPTY,
  type Observable,
  type SchedulerLike,
  catchError,
  connect,
  filter,
  map,
  merge,
  of,
  switchMap,
  take,
  takeWhile,
  timer,
} from 'rxjs';

/** How one of several sources ended. `index` is its place among them. */
export type End<T> =
  | { readonly kind: 'value'; readonly index: number; readonly value: T }
  | { readonly kind: 'failed'; readonly index: number; readonly cause: unknown };

/**
 * Asks sources one after another. The next one begins `everyMs` after the one before has begun, or at once when that one has
 * failed. Those that have begun go on until one emits. Emits the end of each source that failed, then that of the first one
 * that emitted a value, and completes: this unsubscribes from the others. If all fail, it completes after the last failure.
 * Never errors.
 */
export function inTurn<T>(
  sources: readonly Observable<T>[],
  everyMs: number,
  scheduler: SchedulerLike,
): Observable<End<T>> {
  const from = (index: number): Observable<End<T>> =>
    endOf(sources[index], index).pipe(
      connect((end$) => {
        const failed$ = end$.pipe(filter(({ kind }) => kind === 'failed'));
        const next$ = merge(timer(everyMs, scheduler), failed$).pipe(
          take(1),
          switchMap(() => (index + 1 < sources.length ? from(index + 1) : EMPTY)),
        );
        return merge(end$, next$);
      }),
    );
  return from(0).pipe(takeWhile(({ kind }) => kind === 'failed', true));
}

function endOf<T>(source: Observable<T> = EMPTY, index: number): Observable<End<T>> {
  return source.pipe(
    map((value): End<T> => ({ kind: 'value', index, value })),
    catchError((cause: unknown) => of<End<T>>({ kind: 'failed', index, cause })),
  );
}
