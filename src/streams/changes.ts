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
import { leaderRoute } from '../patroni/routes.js';
import { describeDuration, describeFailure, describeNotFresh } from '../patroni/snapshot-text.js';
import type { Cache, PolledRoute } from './cache.js';
import type { FailureSeries, Snapshot, CanonicalRoute } from '../patroni/types.js';

/** A transition of a route, for the log. There is no change for a state that continues. */
export type Change =
  /** The reply to health checks differs from the one before. */
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
  /** Patroni does not answer, and from now on the reply comes from the witness. */
  | {
      readonly kind: 'witness-answers';
      readonly route: CanonicalRoute;
      readonly status: number;
      readonly why: string;
    }
  /**
   * The witness goes on to give the same reply to a route that only the leader answers with 200, for another reason: the leader
   * key has gone, or another node has it.
   */
  | {
      readonly kind: 'witness-reason';
      readonly route: CanonicalRoute;
      readonly status: number;
      readonly why: string;
    }
  /** A client asked for a route that was not polled. patroniglue polls it from now on. */
  | { readonly kind: 'route-learned'; readonly route: CanonicalRoute }
  /** patroniglue no longer polls a learned route: no client has asked for it for long, or a reload has left no place for it. */
  | { readonly kind: 'route-forgotten'; readonly route: CanonicalRoute }
  /** patroniglue did not learn a route, because it has learned `maxLearned` already. Emitted once until a place is free. */
  | { readonly kind: 'route-refused'; readonly route: CanonicalRoute; readonly maxLearned: number };

/** The transitions of all routes, as they happen. Subscribes to `route$` and its routes, and so runs the polls. */
export function changes(
  cache: Pick<Cache, 'route$' | 'refused$' | 'maxLearned'>,
  scheduler: SchedulerLike,
): Observable<Change> {
  const { route$, refused$ } = cache;
  return merge(
    // mergeMap: all routes are polled at the same time, each to its end
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
  const wasWitnessed = before.kind !== 'pending' && before.witness !== undefined;
  if (after.kind === 'fresh' && after.witness && !wasWitnessed) {
    found.push({ kind: 'witness-answers', route, status: after.answer.status, why: after.witness.why });
  }
  if (replyStatus(before) !== replyStatus(after)) {
    found.push({ kind: 'reply-changed', route, from: before, to: after, atMs });
  } else if (after.kind === 'fresh' && after.witness && wasWitnessed && leaderRoute(route) === 'leader-only') {
    const { why } = after.witness;
    if (why !== before.witness.why) found.push({ kind: 'witness-reason', route, status: after.answer.status, why });
  }
  return found;
}

function replyStatus(snapshot: Snapshot): number | string {
  return snapshot.kind === 'fresh' ? snapshot.answer.status : snapshot.kind;
}

/** The log line for a change: `/primary: 200 -> 503 (stale: poll timed out for 4.0 s)`. */
export function describeChange(change: Change): string {
  switch (change.kind) {
    case 'reply-changed': {
      const { route, from, to, atMs } = change;
      const was = from.kind === 'pending' ? 'pending' : from.kind === 'fresh' ? from.answer.status : 503;
      const [status, why] =
        to.kind === 'fresh'
          ? [to.answer.status, to.witness && `witness: ${to.witness.why}`]
          : [503, describeNotFresh(to, atMs)];
      if (was === status) return `${route}: still ${status} (${why ?? 'Patroni answers'})`;
      return `${route}: ${was} -> ${status}${why === undefined ? '' : ` (${why})`}`;
    }
    case 'polls-failing':
      return `${change.route}: polls are failing: ${describeFailure(change.failures.last)}`;
    case 'polls-recovered':
      return `${change.route}: polls are answered again: ${change.failures.count} failed in ${describeDuration(change.lastedMs)}`;
    case 'witness-answers':
      return `${change.route}: Patroni does not answer; by the witness, the reply is ${change.status}: ${change.why}`;
    case 'witness-reason':
      return `${change.route}: still ${change.status} (witness: ${change.why})`;
    case 'route-learned':
      return `${change.route}: learned: a client asked for it, and patroniglue polls it from now on`;
    case 'route-forgotten':
      return `${change.route}: forgotten: no client has asked for it lately, or cache.learn leaves no place for it; patroniglue no longer polls it`;
    case 'route-refused':
      return `${change.route}: not learned: patroniglue has learned ${change.maxLearned} routes already, the most that cache.learn allows`;
  }
}

/** The facts of a change, for machines. A status is text: log stores expect one type for each field. */
export function factsOf(change: Change): Readonly<Record<string, string | number>> {
  const { route } = change;
  switch (change.kind) {
    case 'reply-changed':
      return {
        route,
        from: String(replyStatus(change.from)),
        to: String(replyStatus(change.to)),
        reason: reasonOf(change.to),
      };
    case 'polls-failing':
      return { route, reason: change.failures.last.reason };
    case 'polls-recovered':
      return { route, failed: change.failures.count, lastedMs: Math.round(change.lastedMs) };
    case 'witness-answers':
    case 'witness-reason':
      return { route, status: String(change.status), why: change.why };
    case 'route-learned':
    case 'route-forgotten':
      return { route };
    case 'route-refused':
      return { route, maxLearned: change.maxLearned };
  }
}

/** Why health checks get this reply: one word of a closed list, which includes the reasons of failed polls. */
function reasonOf(snapshot: Snapshot): string {
  if (snapshot.kind === 'fresh') return snapshot.witness ? 'witness' : 'answered';
  if (snapshot.failures) return snapshot.failures.last.reason;
  return snapshot.kind === 'stale' && snapshot.lease ? 'lease-guard' : 'no-answer';
}
