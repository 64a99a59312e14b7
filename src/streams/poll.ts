import {
  type Observable,
  type SchedulerLike,
  TimeoutError,
  catchError,
  defer,
  exhaustMap,
  map,
  merge,
  of,
  timeout,
  timer,
} from 'rxjs';
import type { Answer, PollFailure, PollOutcome } from '../snapshot.js';

/** How one canonical route is polled. */
export interface PollOptions {
  /** From poll start to poll start, in milliseconds. */
  readonly intervalMs: number;
  /** From the first poll to the second, in milliseconds; at most an interval, which it is unless told. */
  readonly secondAfterMs?: number;
  /** The longest a poll may take, from send to last byte, in milliseconds. */
  readonly deadlineMs: number;
  /** Timer and clock at once. */
  readonly scheduler: SchedulerLike;
  /** Names the failure in an error of `request`. */
  readonly classify: (cause: unknown) => PollFailure;
}

/**
 * One outcome per finished poll: the first poll at once, the second after `secondAfterMs`, then one an interval. Never
 * errors, never completes; a tick that finds a poll in flight is skipped. At the deadline, and on unsubscription, `request` is unsubscribed.
 *
 * @param request asks once when subscribed, emits one answer when its last byte is there
 */
export function poll(request: Observable<Answer>, options: PollOptions): Observable<PollOutcome> {
  const { intervalMs, secondAfterMs = intervalMs, deadlineMs, scheduler, classify } = options;
  return merge(timer(0, scheduler), timer(secondAfterMs, intervalMs, scheduler)).pipe(
    // exhaustMap: a slow upstream gets no queue, and no cancelled half-answers
    exhaustMap(() =>
      defer(() => {
        const sentAtMs = scheduler.now(); // age counts from here: RFC 9111, section 4.2.3
        return request.pipe(
          timeout({ first: endingBeforeTick(options), scheduler }),
          map((answer): PollOutcome => ({ kind: 'answered', answer, sentAtMs, endedAtMs: scheduler.now() })),
          // caught here, next to the request: outside exhaustMap it would end the route's polling for good
          catchError((cause: unknown) => {
            const failure = cause instanceof TimeoutError ? timedOut(deadlineMs) : classify(cause);
            return of<PollOutcome>({ kind: 'failed', failure, sentAtMs, endedAtMs: scheduler.now() });
          }),
        );
      }),
    ),
  );
}

/**
 * The deadline, or a little less where it would fall together with a tick: that tick would find the poll in flight or
 * not by chance, and lose an interval with a frozen upstream for nothing.
 */
function endingBeforeTick({ intervalMs, deadlineMs }: PollOptions): number {
  const marginMs = Math.min(20, intervalMs / 10);
  const afterTickMs = deadlineMs % intervalMs;
  return deadlineMs >= intervalMs && afterTickMs < marginMs ? deadlineMs - afterTickMs - marginMs : deadlineMs;
}

function timedOut(deadlineMs: number): PollFailure {
  return { reason: 'timed-out', message: `no complete answer within ${deadlineMs / 1000} s` };
}
