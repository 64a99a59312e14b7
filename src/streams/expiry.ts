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
import type { PollOutcome, Snapshot, SnapshotEvent } from '../patroni/types.js';

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
 * The snapshots that follow from a route's outcomes: the known one at subscription, a new one at each outcome, and a
 * `stale` one at the moment at which the newest answer ends. Ends and errors as `outcome$` does.
 */
export function expire(outcome$: Observable<PollOutcome>, options: ExpiryOptions): Observable<Snapshot> {
  const { ttlMs, scheduler, known = { kind: 'pending', sinceMs: scheduler.now() } } = options;
  return outcome$.pipe(
    connect((shared$) => merge(shared$, expiries(shared$, options))),
    scan((snapshot: Snapshot, event: SnapshotEvent) => afterEvent(snapshot, event, ttlMs, scheduler.now()), known),
    startWith(known),
    distinctUntilChanged(), // an expiry after a newer answer does not change the snapshot
  );
}

/** Emits when the newest answer's time is over. A failed poll neither renews nor shortens this time. */
function expiries(
  outcome$: Observable<PollOutcome>,
  { ttlMs, scheduler, known }: ExpiryOptions,
): Observable<SnapshotEvent> {
  const endsAtMs$ = outcome$.pipe(
    filter((outcome) => outcome.kind === 'answered'),
    map((answered) => endOf(answered, ttlMs)),
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
