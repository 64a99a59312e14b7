import {
  BehaviorSubject,
  EMPTY,
  type Observable,
  type SchedulerLike,
  Subject,
  concat,
  debounceTime,
  defer,
  exhaustMap,
  from,
  ignoreElements,
  map,
  merge,
  startWith,
  take,
  takeUntil,
  tap,
} from 'rxjs';
import type { CanonicalRoute } from '../routes.js';
import type { Snapshot } from '../snapshot.js';

/** A route's polling, from its beginning to its end. */
export interface PolledRoute {
  readonly route: CanonicalRoute;
  /** Polled because somebody asks for it, and for as long as somebody does; otherwise prefetched. */
  readonly learned: boolean;
  /**
   * Its snapshots, as they become known; completes when a learned route is forgotten. Subscribe once: the subscription
   * runs the polls, and the route is in the cache until its end.
   */
  readonly snapshot$: Observable<Snapshot>;
}

/** What we know: the latest snapshot of every canonical route that is polled. */
export interface Cache {
  /** The routes that are polled from the start and never forgotten. */
  readonly prefetched: readonly CanonicalRoute[];
  /** The most routes that may be learned at a time. */
  readonly maxLearned: number;
  /** The prefetched routes at subscription, then each learned one with its first asker. Subscribe once. */
  readonly route$: Observable<PolledRoute>;
  /** A route for which there was no room: the first since a learned one was last forgotten. */
  readonly refused$: Observable<CanonicalRoute>;
  /** The latest snapshot; `undefined` for a route that is not polled. Never waits. */
  latest(route: CanonicalRoute): Snapshot | undefined;
  /**
   * The same for somebody who asks: a route that is not polled is from now on, and a learned one is kept. `undefined`
   * where there is no room to learn it. Never waits.
   */
  ask(route: CanonicalRoute): Snapshot | undefined;
}

/** How routes are polled, and learned. */
export interface CacheOptions {
  /** Polls a route while it is subscribed. */
  readonly snapshots: (route: CanonicalRoute) => Observable<Snapshot>;
  /** The most routes that may be learned at a time; 0 for none. */
  readonly maxLearned: number;
  /** A learned route that nobody asked for in so many milliseconds is forgotten. */
  readonly forgetAfterMs: number;
  /** Timer and clock at once. */
  readonly scheduler: SchedulerLike;
}

interface Entry {
  readonly latest$: BehaviorSubject<Snapshot>;
  /** Of a learned route: somebody asks for it. */
  readonly asked$?: Subject<void>;
}

/**
 * A cache that polls `prefetched`, and what is asked for besides. Until {@link Cache.route$} and its routes are subscribed
 * nothing is polled and nothing learned; unsubscription ends all polls.
 */
export function createCache(prefetched: readonly CanonicalRoute[], options: CacheOptions): Cache {
  const { snapshots, maxLearned, forgetAfterMs, scheduler } = options;
  const entries = new Map<CanonicalRoute, Entry>();
  const learned$ = new Subject<CanonicalRoute>();
  const unlearned$ = new Subject<CanonicalRoute>();
  const forgotten$ = new Subject<CanonicalRoute>();

  const follow = (route: CanonicalRoute, learned: boolean): PolledRoute => {
    const latest$ = new BehaviorSubject<Snapshot>({ kind: 'pending', sinceMs: scheduler.now() });
    const asked$ = new Subject<void>();
    entries.set(route, { latest$, ...(learned && { asked$ }) });
    const snapshot$ = snapshots(route).pipe(
      tap((snapshot) => {
        latest$.next(snapshot);
      }),
    );
    if (!learned) return { route, learned, snapshot$ };
    const unasked$ = asked$.pipe(startWith(undefined), debounceTime(forgetAfterMs, scheduler));
    const forget$ = defer(() => {
      entries.delete(route);
      forgotten$.next(route);
      return EMPTY;
    });
    return { route, learned, snapshot$: concat(snapshot$.pipe(takeUntil(unasked$)), forget$) };
  };

  const fromStart = [...new Set(prefetched)].map((route) => follow(route, false));
  return {
    prefetched: fromStart.map(({ route }) => route),
    maxLearned,
    route$: merge(from(fromStart), learned$.pipe(map((route) => follow(route, true)))),
    refused$: unlearned$.pipe(
      // exhaustMap: silent until a place is free; whoever varies a query does so thousands of times
      exhaustMap((route) => forgotten$.pipe(take(1), ignoreElements(), startWith(route))),
    ),
    latest: (route) => entries.get(route)?.latest$.getValue(),
    ask(route) {
      let entry = entries.get(route);
      if (entry === undefined) {
        const hasRoom = entries.size - fromStart.length < maxLearned;
        if (!hasRoom) {
          unlearned$.next(route);
          return undefined;
        }
        learned$.next(route);
        entry = entries.get(route);
      }
      entry?.asked$?.next();
      return entry?.latest$.getValue() ?? { kind: 'pending', sinceMs: scheduler.now() }; // none while nothing is polled
    },
  };
}
