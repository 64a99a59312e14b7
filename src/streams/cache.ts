import { BehaviorSubject, type Observable, finalize, map, merge, tap } from 'rxjs';
import type { CanonicalRoute } from '../routes.js';
import type { Snapshot } from '../snapshot.js';

/** A route's snapshot, as it became known. */
export interface Update {
  readonly route: CanonicalRoute;
  readonly snapshot: Snapshot;
}

/** What we know: the latest snapshot of every canonical route. */
export interface Cache {
  /** The routes that are polled. */
  readonly routes: readonly CanonicalRoute[];
  /** Every update of every route, in order of arrival. Subscribe once: the subscription runs the polls. */
  readonly update$: Observable<Update>;
  /** The latest snapshot; `undefined` for a route that is not polled. Never waits. */
  latest(route: CanonicalRoute): Snapshot | undefined;
}

/**
 * A cache over `snapshots(route)` for each of `routes`. Until {@link Cache.update$} is subscribed every route is
 * pending and nothing is polled; unsubscription ends the polls.
 *
 * @param nowMs the time at which the routes' waiting begins
 */
export function createCache(
  routes: readonly CanonicalRoute[],
  snapshots: (route: CanonicalRoute) => Observable<Snapshot>,
  nowMs: number,
): Cache {
  const pending: Snapshot = { kind: 'pending', sinceMs: nowMs };
  const subjects = new Map(routes.map((route) => [route, new BehaviorSubject<Snapshot>(pending)]));
  const updates = [...subjects].map(([route, subject]) =>
    snapshots(route).pipe(
      tap((snapshot) => {
        subject.next(snapshot);
      }),
      map((snapshot): Update => ({ route, snapshot })),
      finalize(() => {
        subject.complete();
      }),
    ),
  );
  return {
    routes: [...subjects.keys()],
    update$: merge(...updates),
    latest: (route) => subjects.get(route)?.getValue(),
  };
}
