import {
  EMPTY,
  type Observable,
  type SchedulerLike,
  TimeoutError,
  catchError,
  defer,
  exhaustMap,
  filter,
  map,
  merge,
  of,
  repeat,
  tap,
  timer,
} from 'rxjs';
import { deadline } from './deadline.js';
import type { Gate } from './freeze.js';
import type { Answer, PollFailure, PollOutcome } from '../patroni/types.js';

/** How one canonical route is polled. */
export interface PollOptions {
  /** From poll start to poll start, in milliseconds. */
  readonly intervalMs: number;
  /** The moment in the interval at which all later polls begin, by the scheduler's clock; by default that of the first poll. */
  readonly phaseMs?: number;
  /** Each emission begins another poll. */
  readonly refresh$?: Observable<unknown>;
  /** Decides whether a poll may begin when its time has come, and is called with each outcome; by default every poll may. */
  readonly gate?: Gate;
  /** False for an outcome that must be ignored: it is not emitted, and the gate does not see it. By default all count. */
  readonly counts?: (outcome: PollOutcome) => boolean;
  /** The longest a poll may take, from send to last byte, in milliseconds. */
  readonly deadlineMs: number;
  /** Timer and clock at once. */
  readonly scheduler: SchedulerLike;
  /** Turns an error of `request` into a failure. */
  readonly classify: (cause: unknown) => PollFailure;
}

const OPEN: Gate = { mayPoll: () => true, onOutcome: () => undefined };

/**
 * One outcome per finished poll. The first poll begins at once, then one in each interval, by the clock, and one with each
 * `refresh$`. A tick is skipped while a poll is in flight or the gate is closed. Unsubscribes from `request` at the deadline
 * and on unsubscription. Never errors, never completes.
 *
 * @param request asks once when subscribed, and emits one complete answer
 */
export function poll(request: Observable<Answer>, options: PollOptions): Observable<PollOutcome> {
  const { gate = OPEN, counts = () => true, refresh$ = EMPTY, scheduler } = options;
  return merge(timer(0, scheduler), ticks(options), refresh$).pipe(
    filter(gate.mayPoll),
    // exhaustMap: a slow upstream gets no queue of polls, and no poll is cancelled by the next
    exhaustMap(() => pollOnce(request, options, endingBeforeTick(options))),
    filter(counts),
    tap(gate.onOutcome),
  );
}

/**
 * One poll, from subscription to its outcome. Never errors. Unsubscribes from `request` at the end of the poll and on
 * unsubscription.
 *
 * @param endMs when the poll is given up, in milliseconds from its start
 */
export function pollOnce(
  request: Observable<Answer>,
  { deadlineMs, scheduler, classify }: Pick<PollOptions, 'deadlineMs' | 'scheduler' | 'classify'>,
  endMs = deadlineMs,
): Observable<PollOutcome> {
  return defer(() => {
    const sentAtMs = scheduler.now(); // age counts from here: RFC 9111, section 4.2.3
    return request.pipe(
      deadline(endMs, scheduler),
      map((answer): PollOutcome => ({ kind: 'answered', answer, sentAtMs, endedAtMs: scheduler.now() })),
      // caught here, next to the request: outside exhaustMap, an error would end the route's polling
      catchError((cause: unknown) => {
        const times = { sentAtMs, endedAtMs: scheduler.now() };
        return of<PollOutcome>(
          cause instanceof TimeoutError
            ? { kind: 'failed', failure: timedOut(deadlineMs), givenUp: true, ...times }
            : { kind: 'failed', failure: classify(cause), ...times },
        );
      }),
    );
  });
}

/** One tick in each interval. Each is timed by the clock, because Node's `setInterval`, as RxJS uses it, drifts. */
function ticks({ intervalMs, phaseMs, scheduler }: PollOptions): Observable<unknown> {
  return defer(() => {
    const nowMs = scheduler.now();
    const sincePhaseMs = phaseMs === undefined ? 0 : (nowMs + intervalMs - phaseMs) % intervalMs;
    let nextMs = nowMs + intervalMs - sincePhaseMs;
    return defer(() => timer(Math.max(0, nextMs - scheduler.now()), scheduler)).pipe(
      tap(() => {
        nextMs += intervalMs * Math.max(1, Math.ceil((scheduler.now() - nextMs) / intervalMs));
      }),
      repeat(),
    );
  });
}

/**
 * The deadline, or a little less if it would coincide with a tick. Otherwise chance decides whether this tick finds the poll
 * still in flight and is skipped, which costs an interval with a frozen upstream.
 */
function endingBeforeTick({ intervalMs, deadlineMs }: PollOptions): number {
  const marginMs = Math.min(20, intervalMs / 10);
  const afterTickMs = deadlineMs % intervalMs;
  return deadlineMs >= intervalMs && afterTickMs < marginMs ? deadlineMs - afterTickMs - marginMs : deadlineMs;
}

function timedOut(deadlineMs: number): PollFailure {
  return { reason: 'timed-out', message: `no complete answer within ${deadlineMs / 1000} s` };
}
