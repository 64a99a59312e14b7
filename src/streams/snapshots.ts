import { type Observable, type SchedulerLike, defer, distinctUntilChanged, switchMap, tap } from 'rxjs';
import { withTimeToLive } from '../patroni/snapshot.js';
import { expire } from './expiry.js';
import type { PollOutcome, Snapshot, Witnessed } from '../patroni/types.js';

/** How a route is polled under one configuration. */
export interface RoutePolling {
  /** The upstream that answers, such as `localhost:8008`. Answers of a former upstream do not count. */
  readonly upstream: string;
  /** Polls while it is subscribed, and asks the witness while Patroni does not answer. */
  readonly event$: Observable<PollOutcome | Witnessed>;
  /** Time to live of its answers, in milliseconds. */
  readonly ttlMs: number;
}

/**
 * A route's snapshots, while reloads change how it is polled. The known answer is kept, for no longer than the new time to
 * live; it is dropped if it comes from another upstream. Ends and errors as `polling$` and its events do.
 */
export function snapshotsOf(polling$: Observable<RoutePolling>, scheduler: SchedulerLike): Observable<Snapshot> {
  return defer(() => {
    let latest: { readonly snapshot: Snapshot; readonly upstream: string } | undefined;
    return polling$.pipe(
      // switchMap: ends a poll by the former configuration, and polls by the new one at once
      switchMap(({ upstream, event$, ttlMs }) => {
        const isKept = latest?.upstream === upstream;
        const known = latest && isKept ? withTimeToLive(latest.snapshot, ttlMs, scheduler.now()) : undefined;
        return expire(event$, { ttlMs, scheduler, ...(known && { known }) }).pipe(
          tap((snapshot) => {
            latest = { snapshot, upstream };
          }),
        );
      }),
      distinctUntilChanged(),
    );
  });
}
