import { type Observable, type SchedulerLike, concatMap, from, groupBy, map, mergeMap, pairwise } from 'rxjs';
import { describeDuration, describeFailure, describeUnknown } from '../describe.js';
import type { CanonicalRoute } from '../routes.js';
import type { FailureSeries, Snapshot } from '../snapshot.js';
import type { Update } from './cache.js';

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
    };

/** The transitions in `update$`, route by route, as they happen. Ends and errors as `update$` does. */
export function changes(update$: Observable<Update>, scheduler: SchedulerLike): Observable<Change> {
  return update$.pipe(
    groupBy(({ route }) => route),
    // mergeMap: every route is followed for as long as it lives
    mergeMap((ofRoute$) =>
      ofRoute$.pipe(
        map(({ snapshot }) => snapshot),
        pairwise(),
        concatMap(([before, after]) => from(changesBetween(ofRoute$.key, before, after, scheduler.now()))),
      ),
    ),
  );
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
  }
}
