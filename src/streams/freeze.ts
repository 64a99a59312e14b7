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
 * How long a sentinel waits before another takes its place. Each one that is replaced stays in Patroni's queue until the
 * thaw, so the pauses double: a minute costs five connections, twelve hours some 750.
 */
export const SENTINEL_PAUSES_MS = { first: 2_000, longest: 60_000 } as const;

/** A pause is shorter by up to this share: many nodes that were frozen together do not ask together. */
const JITTER = 0.05;

/** Says when a route may be polled, and is told how its polls end. */
export interface Gate {
  readonly mayPoll: () => boolean;
  readonly saw: (outcome: PollOutcome) => void;
}

/** What an operator is told of a freeze. */
export type FreezeChange =
  | { readonly kind: 'frozen'; readonly sinceMs: number }
  /** A poll was answered again, or failed at once: then nobody is there who could be frozen. */
  | { readonly kind: 'thawed'; readonly lastedMs: number; readonly failure?: PollFailure }
  /** A reload began anew with its upstream: the sentinel is closed, and a freeze that lasts will be noticed again. */
  | { readonly kind: 'forgotten'; readonly lastedMs: number };

/** Whether an upstream is frozen, and what its routes have to do about it. */
export interface Freeze {
  /** The gate of a route that is asked by `request`. Polls of a slow route end a freeze, but never begin one. */
  readonly gate: (request: Observable<Answer>, slow: boolean) => Gate;
  /** The upstream may answer again: every route is to be polled at once. */
  readonly thaw$: Observable<void>;
  /** A freeze lasts: nothing is to be asked. */
  readonly isFrozen: () => boolean;
  /** When every route was last to be polled at once, by the scheduler's clock; `-Infinity` before. */
  readonly thawedAtMs: () => number;
  /** When the first poll was sent of those that were given up, with none answered since; `undefined` without. */
  readonly sinceMs: () => number | undefined;
  /** Beginning and end of each freeze. Subscribe once: the subscription keeps the sentinel waiting. Never ends. */
  readonly change$: Observable<FreezeChange>;
}

/** How a freeze is found out and waited for. */
export interface FreezeOptions {
  /** Between polls of a route, in milliseconds. */
  readonly intervalMs: number;
  /** Timer and clock at once. */
  readonly scheduler: SchedulerLike;
  /** From 0 to 1, as `Math.random`. */
  readonly random: () => number;
}

/**
 * Spares an upstream that is frozen. From 3.3.9, 4.0.8 and 4.1.1 on Patroni hands each connection to a few workers through
 * a queue without bound (`process_request` in `patroni/api.py`): while the workers hang, a poll that is given up stays there,
 * with one of Patroni's file descriptors, until the thaw.
 *
 * A freeze begins when a poll is given up at its deadline, and no route was answered since that poll was sent, nor during
 * the last interval. From then on one request waits, the sentinel, however long: its answer, or its end, shows that
 * Patroni is there again, and every route is polled at once. A route whose last poll was answered is still polled, once: it
 * may be that only another one hangs.
 *
 * Connections that are refused, or that are not made since the accept queue is full, cost Patroni nothing, and begin no
 * freeze: they are tried again with each tick.
 */
export function createFreeze({ intervalMs, scheduler, random }: FreezeOptions): Freeze {
  const waiting$ = new BehaviorSubject<Observable<Answer> | undefined>(undefined);
  const thaw$ = new Subject<void>();
  const told$ = new Subject<FreezeChange>();
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
    told$.next({ kind: 'thawed', lastedMs: scheduler.now() - sinceMs, ...(failure && { failure }) });
    sinceMs = undefined;
  };
  const answered = (): void => {
    answeredAtMs = scheduler.now();
    end();
    if (waiting$.getValue()) thaw();
  };
  const failed = (failure: PollFailure): void => {
    if (waiting$.getValue() || failure.reason === 'timed-out') return; // not connected: a full accept queue is part of a freeze
    end(failure);
  };
  const givenUp = (request: Observable<Answer>, sentAtMs: number): void => {
    const isAnswering = answeredAtMs >= Math.min(sentAtMs, scheduler.now() - intervalMs);
    if (isAnswering || waiting$.getValue()) return;
    if (sinceMs === undefined) told$.next({ kind: 'frozen', sinceMs: sentAtMs });
    sinceMs ??= sentAtMs;
    waiting$.next(request);
  };
  const sentinel$ = waiting$.pipe(
    // switchMap: there is one sentinel, and none after the thaw
    switchMap((request) => (request ? sentinel(request, scheduler, random) : EMPTY)),
    tap(thaw),
  );
  return {
    gate(request, slow) {
      let wasAnswered = false;
      return {
        mayPoll: () => waiting$.getValue() === undefined || wasAnswered,
        saw(outcome) {
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
    change$: merge(told$, sentinel$.pipe(ignoreElements())),
  };
}

/**
 * Emits once, when `request` is answered or ends, whatever its age; then completes. A request may be lost, as with the worker
 * that held it: another takes its place, after pauses that grow.
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
    // switchMap: the one that is replaced is closed
    return merge(of(undefined), replace$).pipe(
      switchMap(() => ended$),
      take(1),
      map(() => undefined),
    );
  });
}
