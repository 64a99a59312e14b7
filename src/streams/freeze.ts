import {
  BehaviorSubject,
  EMPTY,
  type Observable,
  type SchedulerLike,
  Subject,
  catchError,
  defer,
  endWith,
  ignoreElements,
  map,
  merge,
  of,
  repeat,
  switchMap,
  take,
  tap,
  timer,
} from 'rxjs';
import type { Answer, PollFailure, PollOutcome } from '../patroni/types.js';

/**
 * How long a sentinel request waits before another one replaces it. Each replaced request stays in Patroni's queue until the
 * end of the freeze, so the pauses double: a minute costs five connections, twelve hours about 750.
 */
export const SENTINEL_PAUSES_MS = { first: 2_000, longest: 60_000 } as const;

/** A pause is shorter by up to this share, so that many nodes which froze together do not ask together. */
const JITTER = 0.05;

/** Decides when a route may be polled. */
export interface Gate {
  readonly mayPoll: () => boolean;
  /** Must be called with each outcome of the route. */
  readonly onOutcome: (outcome: PollOutcome) => void;
}

/** A transition of a freeze, for the log. */
export type FreezeChange =
  | { readonly kind: 'frozen'; readonly sinceMs: number }
  /** Patroni answered a poll again, or a poll failed at once: then no Patroni is there that could be frozen. */
  | { readonly kind: 'thawed'; readonly lastedMs: number; readonly failure?: PollFailure }
  /** A reload made a new upstream. The sentinel is closed; if the freeze goes on, patroniglue notices it again. */
  | { readonly kind: 'forgotten'; readonly lastedMs: number };

/** Notices when an upstream is frozen, and pauses the polls of its routes. */
export interface Freeze {
  /** The gate of a route, which `request` asks. Polls of a slow route can end a freeze, but never begin one. */
  readonly gate: (request: Observable<Answer>, slow: boolean) => Gate;
  /** The upstream may answer again: poll every route at once. */
  readonly thaw$: Observable<void>;
  /** True during a freeze: ask nothing then. */
  readonly isFrozen: () => boolean;
  /** When `thaw$` last emitted, by the scheduler's clock; `-Infinity` before that. */
  readonly thawedAtMs: () => number;
  /** When the first poll of this freeze was sent; `undefined` without a freeze. */
  readonly sinceMs: () => number | undefined;
  /** Beginning and end of each freeze. Subscribe once: the subscription keeps the sentinel waiting. Never ends. */
  readonly change$: Observable<FreezeChange>;
}

/** How a freeze is noticed, and how patroniglue waits for its end. */
export interface FreezeOptions {
  /** From poll to poll of a route, in milliseconds. */
  readonly intervalMs: number;
  /** Timer and clock at once. */
  readonly scheduler: SchedulerLike;
  /** From 0 to 1, as `Math.random`. */
  readonly random: () => number;
}

/**
 * Pauses the polls of a frozen upstream. From 3.3.9, 4.0.8 and 4.1.1 on, Patroni hands each connection to a few workers
 * through an unbounded queue (`process_request` in `patroni/api.py`). While the workers hang, each poll that patroniglue gives
 * up stays in this queue until the end of the freeze, with one of Patroni's file descriptors.
 *
 * A freeze begins when a poll reaches its deadline, and Patroni has answered no route since this poll was sent, nor during
 * the last interval. From then on a single request waits without a deadline: the sentinel. Its answer or its end shows that
 * Patroni works again, and every route is polled at once. A route whose last poll was answered is still polled once more,
 * because maybe only the other route hangs.
 *
 * A connection that Patroni's host refuses, or that is not made because the accept queue is full, costs Patroni nothing and
 * begins no freeze: each tick tries again.
 */
export function createFreeze({ intervalMs, scheduler, random }: FreezeOptions): Freeze {
  const waiting$ = new BehaviorSubject<Observable<Answer> | undefined>(undefined);
  const thaw$ = new Subject<void>();
  const transition$ = new Subject<FreezeChange>();
  let answeredAtMs = -Infinity;
  let thawedAtMs = -Infinity;
  let sinceMs: number | undefined;

  const thaw = (): void => {
    thawedAtMs = scheduler.now();
    waiting$.next(undefined);
    thaw$.next();
  };
  const end = (failure?: PollFailure): void => {
    if (sinceMs === undefined) return;
    transition$.next({ kind: 'thawed', lastedMs: scheduler.now() - sinceMs, ...(failure && { failure }) });
    sinceMs = undefined;
  };
  const answered = (): void => {
    answeredAtMs = scheduler.now();
    end();
    if (waiting$.getValue()) thaw();
  };
  const failed = (failure: PollFailure): void => {
    // A connection that timed out does not end a freeze: the accept queue of a frozen upstream is full.
    if (waiting$.getValue() || failure.reason === 'timed-out') return;
    end(failure);
  };
  const givenUp = (request: Observable<Answer>, sentAtMs: number): void => {
    const isAnswering = answeredAtMs >= Math.min(sentAtMs, scheduler.now() - intervalMs);
    if (isAnswering || waiting$.getValue()) return;
    if (sinceMs === undefined) transition$.next({ kind: 'frozen', sinceMs: sentAtMs });
    sinceMs ??= sentAtMs;
    waiting$.next(request);
  };
  const sentinel$ = waiting$.pipe(
    // switchMap: there is at most one sentinel, and none after the thaw
    switchMap((request) => (request ? sentinel(request, scheduler, random) : EMPTY)),
    tap(thaw),
  );
  return {
    gate(request, slow) {
      let wasAnswered = false;
      return {
        mayPoll: () => waiting$.getValue() === undefined || wasAnswered,
        onOutcome(outcome) {
          wasAnswered = outcome.kind === 'answered';
          if (outcome.kind === 'answered') answered();
          else if (!outcome.givenUp) failed(outcome.failure);
          else if (!slow) givenUp(request, outcome.sentAtMs);
        },
      };
    },
    thaw$: thaw$.asObservable(),
    isFrozen: () => waiting$.getValue() !== undefined,
    thawedAtMs: () => thawedAtMs,
    sinceMs: () => sinceMs,
    change$: merge(transition$, sentinel$.pipe(ignoreElements())),
  };
}

/**
 * Emits once, when `request` is answered or ends, however long this takes; then completes. Patroni may lose a request, for
 * example together with its worker. So another request replaces it, after pauses that grow.
 */
function sentinel(request: Observable<Answer>, scheduler: SchedulerLike, random: () => number): Observable<void> {
  return defer(() => {
    const { first, longest } = SENTINEL_PAUSES_MS;
    let pauseMs: number = first;
    const replace$ = defer(() => {
      const waitMs = pauseMs * (1 - JITTER * random());
      pauseMs = Math.min(longest, 2 * pauseMs);
      return timer(waitMs, scheduler);
    }).pipe(repeat());
    const ended$ = request.pipe(
      ignoreElements(),
      catchError(() => EMPTY),
      endWith(undefined),
    );
    // switchMap: closes the request that is replaced
    return merge(of(undefined), replace$).pipe(
      switchMap(() => ended$),
      take(1),
      map(() => undefined),
    );
  });
}
