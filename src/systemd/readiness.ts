import {
  type Observable,
  type SchedulerLike,
  combineLatest,
  filter,
  map,
  merge,
  scan,
  share,
  switchMap,
  take,
  timer,
} from 'rxjs';

/** What the start of the service consists of. */
export interface Start<R> {
  /** Emits when patroniglue listens. */
  readonly listening$: Observable<unknown>;
  /** The route of each poll that has ended, well or not. */
  readonly polled$: Observable<R>;
  /** The routes that are polled from the start. */
  readonly routes: readonly R[];
  /** How long after it listens patroniglue is ready in any case, in milliseconds: Patroni may be frozen. */
  readonly withinMs: number;
  /** Timer and clock at once. */
  readonly scheduler: SchedulerLike;
}

/**
 * Emits once, and completes, when patroniglue listens and has asked Patroni for each route: then the first check gets
 * Patroni's answer. It emits at the latest `withinMs` after patroniglue listens.
 */
export function readiness<R>({ listening$, polled$, routes, withinMs, scheduler }: Start<R>): Observable<void> {
  const isListening$ = listening$.pipe(take(1), share());
  const firstRound$ = polled$.pipe(
    scan((missing, route) => {
      missing.delete(route);
      return missing;
    }, new Set(routes)),
    filter(({ size }) => size === 0),
  );
  return merge(
    combineLatest([isListening$, firstRound$]),
    isListening$.pipe(switchMap(() => timer(withinMs, scheduler))),
  ).pipe(
    take(1),
    map(() => undefined),
  );
}
