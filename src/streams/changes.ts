import {
  EMPTY,
  type Observable,
  type SchedulerLike,
  concat,
  concatMap,
  map,
  merge,
  mergeMap,
  of,
  pairwise,
} from 'rxjs';
import { describeDuration, describeFailure, describeUnknown } from '../patroni/snapshot-text.js';
import type { Cache, PolledRoute } from './cache.js';
import type { FailureSeries, Snapshot, CanonicalRoute } from '../patroni/types.js';

/** What an operator is told of a route: transitions, never states that go on. */
export type Change =
  /** What a health check is told is another than before. */
  | {
      readonly kind: 'reply-changed';
      readonly route: CanonicalRoute;
      readonly from: Snapshot;
      readonly to: Snapshot;
      /** When, on the scheduler's clock. */
      readonly atMs: number;
    }
  /** The first failed poll after an answer, or after the start. */
  | { readonly kind: 'polls-failing'; readonly route: CanonicalRoute; readonly failures: FailureSeries }
  /** The first answer after failed polls. */
  | {
      readonly kind: 'polls-recovered';
      readonly route: CanonicalRoute;
      readonly failures: FailureSeries;
      /** From the first failed poll to the answer, in milliseconds. */
      readonly lastedMs: number;
    }
  /** Somebody asked for a route that was not polled: it is, from now on. */
  | { readonly kind: 'route-learned'; readonly route: CanonicalRoute }
  /** Nobody has asked for a learned route for long, or there is no room for it any more: it is polled no more. */
  | { readonly kind: 'route-forgotten'; readonly route: CanonicalRoute }
  /** A route that could not be learned, since `maxLearned` are; told once until there is room again. */
  | { readonly kind: 'route-refused'; readonly route: CanonicalRoute; readonly maxLearned: number };

/** The transitions of all routes, as they happen. Subscribes to `route$` and its routes, and so runs the polls. */
export function changes(
  cache: Pick<Cache, 'route$' | 'refused$' | 'maxLearned'>,
  scheduler: SchedulerLike,
): Observable<Change> {
  const { route$, refused$ } = cache;
  return merge(
    // mergeMap: every route is followed for as long as it lives
    route$.pipe(mergeMap((polled) => changesOf(polled, scheduler))),
    refused$.pipe(map((route): Change => ({ kind: 'route-refused', route, maxLearned: cache.maxLearned }))),
  );
}

function changesOf({ route, learned, snapshot$ }: PolledRoute, scheduler: SchedulerLike): Observable<Change> {
  const change$ = snapshot$.pipe(
    pairwise(),
    concatMap(([before, after]) => changesBetween(route, before, after, scheduler.now())),
  );
  const learned$ = learned ? of<Change>({ kind: 'route-learned', route }) : EMPTY;
  return concat(learned$, change$, of<Change>({ kind: 'route-forgotten', route }));
}

function changesBetween(route: CanonicalRoute, before: Snapshot, after: Snapshot, atMs: number): Change[] {
  const found: Change[] = [];
  if (after.failures && !before.failures) found.push({ kind: 'polls-failing', route, failures: after.failures });
  if (before.failures && !after.failures) {
    const { failures } = before;
    found.push({ kind: 'polls-recovered', route, failures, lastedMs: atMs - failures.sinceMs });
  }
  if (toldStatus(before) !== toldStatus(after)) {
    found.push({ kind: 'reply-changed', route, from: before, to: after, atMs });
  }
  return found;
}

function toldStatus(snapshot: Snapshot): number | string {
  return snapshot.kind === 'fresh' ? snapshot.answer.status : snapshot.kind;
}

/** The log line for a change: `/primary: 200 -> 503 (stale: poll timed out for 4.0 s)`. */
export function describeChange(change: Change): string {
  switch (change.kind) {
    case 'reply-changed': {
      const { route, from, to, atMs } = change;
      const was = from.kind === 'pending' ? 'pending' : from.kind === 'fresh' ? from.answer.status : 503;
      return to.kind === 'fresh'
        ? `${route}: ${was} -> ${to.answer.status}`
        : `${route}: ${was} -> 503 (${describeUnknown(to, atMs)})`;
    }
    case 'polls-failing':
      return `${change.route}: polls are failing: ${describeFailure(change.failures.last)}`;
    case 'polls-recovered':
      return `${change.route}: polls are answered again: ${change.failures.count} failed in ${describeDuration(change.lastedMs)}`;
    case 'route-learned':
      return `${change.route}: learned: somebody asks for it, and it is polled from now on`;
    case 'route-forgotten':
      return `${change.route}: forgotten: nobody has asked for it, or there is no room for it, and it is polled no more`;
    case 'route-refused':
      return `${change.route}: not learned: ${change.maxLearned} routes are, the most that cache.learn allows`;
  }
}

/** The facts of a change, for machines. Words, also for a status: a field has one type in whoever stores it. */
export function factsOf(change: Change): Readonly<Record<string, string | number>> {
  const { route } = change;
  switch (change.kind) {
    case 'reply-changed':
      return {
        route,
        from: String(toldStatus(change.from)),
        to: String(toldStatus(change.to)),
        reason: reasonOf(change.to),
      };
    case 'polls-failing':
      return { route, reason: change.failures.last.reason };
    case 'polls-recovered':
      return { route, failed: change.failures.count, lastedMs: Math.round(change.lastedMs) };
    case 'route-learned':
    case 'route-forgotten':
      return { route };
    case 'route-refused':
      return { route, maxLearned: change.maxLearned };
  }
}

/** Why a health check is told what it is: a closed list, with those of failed polls. */
function reasonOf(snapshot: Snapshot): string {
  if (snapshot.kind === 'fresh') return 'answered';
  if (snapshot.failures) return snapshot.failures.last.reason;
  return snapshot.kind === 'stale' && snapshot.lease ? 'lease-guard' : 'no-answer';
}
