import {
  BehaviorSubject,
  EMPTY,
  type Observable,
  type SchedulerLike,
  Subject,
  concat,
  NEVER,
  debounceTime,
  defer,
  exhaustMap,
  from,
  ignoreElements,
  map,
  merge,
  startWith,
  switchMap,
  take,
  takeUntil,
  tap,
} from 'rxjs';
import type { Snapshot, CanonicalRoute } from '../patroni/types.js';

/** A route's polling, from its beginning to its end. */
export interface PolledRoute {
  readonly route: CanonicalRoute;
  /** Polled because somebody asks for it; otherwise prefetched. */
  readonly learned: boolean;
  /**
   * Its snapshots, as they become known; completes when the route is forgotten. Subscribe once: the subscription runs the
   * polls, and the route is in the cache until its end.
   */
  readonly snapshot$: Observable<Snapshot>;
}

/** Which routes are polled. */
export interface RoutePlan {
  /** The routes that are polled whether or not somebody asks for them. */
  readonly prefetched: readonly CanonicalRoute[];
  /** The most routes that may be learned at a time; 0 for none. */
  readonly maxLearned: number;
}

/** What we know: the latest snapshot of every canonical route that is polled. */
export interface Cache extends RoutePlan {
  /** The prefetched routes at subscription, then each further one as it is learned, or planned. Subscribe once. */
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
  /**
   * From now on polls by another plan. A route that was polled before is not touched: one that is no longer prefetched lives
   * on as a learned one that was just asked for, while there is room; those that were learned last go first.
   */
  change(plan: RoutePlan): void;
  /** The routes that are polled now, prefetched and learned. */
  routes(): readonly CanonicalRoute[];
}

/** How routes are polled, and learned. */
export interface CacheOptions extends Pick<RoutePlan, 'maxLearned'> {
  /** Polls a route while it is subscribed. */
  readonly snapshots: (route: CanonicalRoute) => Observable<Snapshot>;
  /** A learned route that nobody asked for in so many milliseconds is forgotten. */
  readonly forgetAfterMs: number;
  /** Timer and clock at once. */
  readonly scheduler: SchedulerLike;
}

interface Entry {
  readonly latest$: BehaviorSubject<Snapshot>;
  /** Not prefetched: kept while it is asked for. */
  readonly learned$: BehaviorSubject<boolean>;
  readonly asked$: Subject<void>;
  /** There is no room for it any more. */
  readonly dropped$: Subject<void>;
}

/**
 * A cache that polls `prefetched`, and what is asked for besides. Until {@link Cache.route$} and its routes are subscribed
 * nothing is polled and nothing learned; unsubscription ends all polls.
 */
export function createCache(prefetched: readonly CanonicalRoute[], options: CacheOptions): Cache {
  const { snapshots, forgetAfterMs, scheduler } = options;
  let plan: RoutePlan = { prefetched: [...new Set(prefetched)], maxLearned: options.maxLearned };
  const entries = new Map<CanonicalRoute, Entry>(); // in the order in which they came
  const planned$ = new Subject<CanonicalRoute>();
  const wanted$ = new Subject<CanonicalRoute>();
  const unlearned$ = new Subject<CanonicalRoute>();
  const roomMade$ = new Subject<void>();

  const follow = (route: CanonicalRoute, learned: boolean): PolledRoute => {
    const latest$ = new BehaviorSubject<Snapshot>({ kind: 'pending', sinceMs: scheduler.now() });
    const entry: Entry = {
      latest$,
      learned$: new BehaviorSubject(learned),
      asked$: new Subject(),
      dropped$: new Subject(),
    };
    entries.set(route, entry);
    // switchMap: a route that becomes a learned one has its full time from then
    const unasked$ = entry.learned$.pipe(
      switchMap((isLearned) =>
        isLearned ? entry.asked$.pipe(startWith(undefined), debounceTime(forgetAfterMs, scheduler)) : NEVER,
      ),
    );
    const snapshot$ = snapshots(route).pipe(
      tap((snapshot) => {
        latest$.next(snapshot);
      }),
      takeUntil(merge(unasked$, entry.dropped$)),
    );
    const forget$ = defer(() => {
      entries.delete(route);
      roomMade$.next();
      return EMPTY;
    });
    return { route, learned, snapshot$: concat(snapshot$, forget$) };
  };

  const fromStart = plan.prefetched.map((route) => follow(route, false));
  return {
    get prefetched() {
      return plan.prefetched;
    },
    get maxLearned() {
      return plan.maxLearned;
    },
    route$: merge(
      from(fromStart),
      planned$.pipe(map((route) => follow(route, false))),
      wanted$.pipe(map((route) => follow(route, true))),
    ),
    refused$: unlearned$.pipe(
      // exhaustMap: silent until a place is free; whoever varies a query does so thousands of times
      exhaustMap((route) => roomMade$.pipe(take(1), ignoreElements(), startWith(route))),
    ),
    latest: (route) => entries.get(route)?.latest$.getValue(),
    routes: () => [...entries.keys()],
    ask(route) {
      let entry = entries.get(route);
      if (entry === undefined) {
        if (entries.size - plan.prefetched.length >= plan.maxLearned) {
          unlearned$.next(route);
          return undefined;
        }
        wanted$.next(route);
        entry = entries.get(route);
      }
      if (entry?.learned$.getValue()) entry.asked$.next();
      return entry?.latest$.getValue() ?? { kind: 'pending', sinceMs: scheduler.now() }; // none while nothing is polled
    },
    change({ prefetched: next, maxLearned }) {
      plan = { prefetched: [...new Set(next)], maxLearned };
      for (const [route, { learned$ }] of entries) {
        const isLearned = !plan.prefetched.includes(route);
        if (learned$.getValue() !== isLearned) learned$.next(isLearned);
      }
      const learned = [...entries.values()].filter(({ learned$ }) => learned$.getValue());
      for (const { dropped$ } of learned.slice(maxLearned)) dropped$.next();
      for (const route of plan.prefetched) if (!entries.has(route)) planned$.next(route);
      roomMade$.next();
    },
  };
}
