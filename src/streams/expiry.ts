import {
  type Observable,
  type SchedulerLike,
  connect,
  distinctUntilChanged,
  filter,
  first,
  map,
  merge,
  scan,
  startWith,
  switchMap,
  timer,
} from 'rxjs';
import { afterEvent, endOf } from '../patroni/snapshot.js';
import type { PollOutcome, Snapshot, SnapshotEvent, Witnessed } from '../patroni/types.js';

const RECHECK_MS = 1;

/** How long answers are fresh. */
export interface ExpiryOptions {
  /** Time to live, in milliseconds from the moment at which the poll was sent. */
  readonly ttlMs: number;
  /** Timer and clock at once. */
  readonly scheduler: SchedulerLike;
  /** The snapshot to begin with; `pending` by default. */
  readonly known?: Snapshot;
}

/**
 * The snapshots that follow from a route's polls, and from what the witness says meanwhile: the known one at subscription, a
 * new one at each event, and a `stale` one at the moment at which the newest answer ends. Ends and errors as `event$` does.
 */
export function expire(event$: Observable<PollOutcome | Witnessed>, options: ExpiryOptions): Observable<Snapshot> {
  const { ttlMs, scheduler, known = { kind: 'pending', sinceMs: scheduler.now() } } = options;
  return event$.pipe(
    connect((shared$) => merge(shared$, expiries(shared$, options))),
    scan((snapshot: Snapshot, event: SnapshotEvent) => afterEvent(snapshot, event, ttlMs, scheduler.now()), known),
    startWith(known),
    distinctUntilChanged(), // an expiry after a newer answer does not change the snapshot
  );
}

/** Emits when the newest answer's time is over. A failed poll neither renews nor shortens this time. */
function expiries(
  event$: Observable<PollOutcome | Witnessed>,
  { ttlMs, scheduler, known }: ExpiryOptions,
): Observable<SnapshotEvent> {
  const endsAtMs$ = event$.pipe(
    filter((event) => event.kind !== 'failed'),
    map((answer) => endOf(answer, ttlMs)),
  );
  return (known?.kind === 'fresh' ? endsAtMs$.pipe(startWith(known.freshUntilMs)) : endsAtMs$).pipe(
    // switchMap: a new answer restarts the countdown
    switchMap((endsAtMs) =>
      // Node's timers may fire a few milliseconds early (they start at the event loop's cached time): then check again.
      timer(Math.max(0, endsAtMs - scheduler.now()), RECHECK_MS, scheduler).pipe(
        first(() => scheduler.now() >= endsAtMs),
      ),
    ),
    map(() => ({ kind: 'expired' })),
  );
}
