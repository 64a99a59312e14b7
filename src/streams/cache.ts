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
  /** True if the route is polled because a client asked for it; false if it is prefetched. */
  readonly learned: boolean;
  /**
   * The route's snapshots, as they become known. Completes when the route is forgotten. Subscribe once: the subscription
   * runs the polls, and the route stays in the cache until the subscription ends.
   */
  readonly snapshot$: Observable<Snapshot>;
}

/** Which routes are polled. */
export interface RoutePlan {
  /** The routes that are polled even if no client asks for them. */
  readonly prefetched: readonly CanonicalRoute[];
  /** The most learned routes at a time; 0 for none. */
  readonly maxLearned: number;
}

/** The latest snapshot of every polled route. */
export interface Cache extends RoutePlan {
  /** The prefetched routes at subscription, then each route that is learned or added by {@link Cache.change}. Subscribe once. */
  readonly route$: Observable<PolledRoute>;
  /** A route that was not learned because there was no place for it. Emits again only after a place has become free. */
  readonly refused$: Observable<CanonicalRoute>;
  /** The latest snapshot; `undefined` for a route that is not polled. Never waits. */
  latest(route: CanonicalRoute): Snapshot | undefined;
  /**
   * The latest snapshot for a client that asks for the route. If the route is not polled, it is learned; if it is a learned
   * route, its fifteen minutes start again. `undefined` if there is no place to learn it. Never waits.
   */
  ask(route: CanonicalRoute): Snapshot | undefined;
  /**
   * Polls by another plan from now on. Routes that stay are not interrupted. A route that is no longer prefetched becomes a
   * learned one, with its fifteen minutes starting now. If there are then more than `maxLearned`, the routes learned last are
   * dropped first.
   */
  change(plan: RoutePlan): void;
  /** All routes that are polled now, prefetched and learned. */
  routes(): readonly CanonicalRoute[];
}

/** How routes are polled, and learned. */
export interface CacheOptions extends Pick<RoutePlan, 'maxLearned'> {
  /** Polls a route while it is subscribed. */
  readonly snapshots: (route: CanonicalRoute) => Observable<Snapshot>;
  /** A learned route is forgotten if no client has asked for it in this time, in milliseconds; production has 15 minutes. */
  readonly forgetAfterMs: number;
  /** Timer and clock at once. */
  readonly scheduler: SchedulerLike;
}

interface Entry {
  readonly latest$: BehaviorSubject<Snapshot>;
  /** True if the route is learned: it is kept only while clients ask for it. */
  readonly learned$: BehaviorSubject<boolean>;
  readonly asked$: Subject<void>;
  /** Emits if there is no place for the route any more. */
  readonly dropped$: Subject<void>;
}

/**
 * A cache that polls the `prefetched` routes, and other routes when clients ask for them. It polls and learns nothing until
 * {@link Cache.route$} and its routes are subscribed. Unsubscription ends all polls.
 */
export function createCache(prefetched: readonly CanonicalRoute[], options: CacheOptions): Cache {
  const { snapshots, forgetAfterMs, scheduler } = options;
  let plan: RoutePlan = { prefetched: [...new Set(prefetched)], maxLearned: options.maxLearned };
  const entries = new Map<CanonicalRoute, Entry>(); // in the order of their addition
  const planned$ = new Subject<CanonicalRoute>();
  const learning$ = new Subject<CanonicalRoute>();
  const notLearned$ = new Subject<CanonicalRoute>();
  const placeFree$ = new Subject<void>();

  const addRoute = (route: CanonicalRoute, learned: boolean): PolledRoute => {
    const latest$ = new BehaviorSubject<Snapshot>({ kind: 'pending', sinceMs: scheduler.now() });
    const entry: Entry = {
      latest$,
      learned$: new BehaviorSubject(learned),
      asked$: new Subject(),
      dropped$: new Subject(),
    };
    entries.set(route, entry);
    // switchMap: when a prefetched route becomes a learned one, its full time starts
    const notAsked$ = entry.learned$.pipe(
      switchMap((isLearned) =>
        isLearned ? entry.asked$.pipe(startWith(undefined), debounceTime(forgetAfterMs, scheduler)) : NEVER,
      ),
    );
    const snapshot$ = snapshots(route).pipe(
      tap((snapshot) => {
        latest$.next(snapshot);
      }),
      takeUntil(merge(notAsked$, entry.dropped$)),
    );
    const forget$ = defer(() => {
      entries.delete(route);
      placeFree$.next();
      return EMPTY;
    });
    return { route, learned, snapshot$: concat(snapshot$, forget$) };
  };

  const fromStart = plan.prefetched.map((route) => addRoute(route, false));
  return {
    get prefetched() {
      return plan.prefetched;
    },
    get maxLearned() {
      return plan.maxLearned;
    },
    route$: merge(
      from(fromStart),
      planned$.pipe(map((route) => addRoute(route, false))),
      learning$.pipe(map((route) => addRoute(route, true))),
    ),
    refused$: notLearned$.pipe(
      // exhaustMap: silent until a place is free. A client that varies a query asks for thousands of routes.
      exhaustMap((route) => placeFree$.pipe(take(1), ignoreElements(), startWith(route))),
    ),
    latest: (route) => entries.get(route)?.latest$.getValue(),
    routes: () => [...entries.keys()],
    ask(route) {
      let entry = entries.get(route);
      if (entry === undefined) {
        if (entries.size - plan.prefetched.length >= plan.maxLearned) {
          notLearned$.next(route);
          return undefined;
        }
        learning$.next(route);
        entry = entries.get(route);
      }
      if (entry?.learned$.getValue()) entry.asked$.next();
      return entry?.latest$.getValue() ?? { kind: 'pending', sinceMs: scheduler.now() }; // no entry before `route$` is subscribed
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
      placeFree$.next();
    },
  };
}
