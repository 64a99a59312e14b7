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
  /** When in the interval, by the scheduler's clock, all polls but the first begin; unless told, when the first did. */
  readonly phaseMs?: number;
  /** Further polls begin with it. */
  readonly refresh$?: Observable<unknown>;
  /** Whether a poll may begin when its time has come; unless told, it may. Told of each outcome. */
  readonly gate?: Gate;
  /** Whether an outcome counts: of one that does not nobody is told. Unless told, each does. */
  readonly counts?: (outcome: PollOutcome) => boolean;
  /** The longest a poll may take, from send to last byte, in milliseconds. */
  readonly deadlineMs: number;
  /** Timer and clock at once. */
  readonly scheduler: SchedulerLike;
  /** Names the failure in an error of `request`. */
  readonly classify: (cause: unknown) => PollFailure;
}

const OPEN: Gate = { mayPoll: () => true, saw: () => undefined };

/**
 * One outcome per finished poll: the first poll at once, then one an interval, by the clock, and when told to. Never errors, never completes;
 * a tick that finds a poll in flight, or the gate shut, is skipped. At the deadline, and on unsubscription, `request` is unsubscribed.
 *
 * @param request asks once when subscribed, emits one answer when its last byte is there
 */
export function poll(request: Observable<Answer>, options: PollOptions): Observable<PollOutcome> {
  const { gate = OPEN, counts = () => true, refresh$ = EMPTY, scheduler } = options;
  return merge(timer(0, scheduler), ticks(options), refresh$).pipe(
    filter(gate.mayPoll),
    // exhaustMap: a slow upstream gets no queue, and no cancelled half-answers
    exhaustMap(() => pollOnce(request, options, endingBeforeTick(options))),
    filter(counts),
    tap(gate.saw),
  );
}

/**
 * One poll, from subscription to its outcome. Never errors. At its end, and on unsubscription, `request` is unsubscribed.
 *
 * @param endMs when it is given up, in milliseconds from its start
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
      // caught here, next to the request: outside exhaustMap it would end the route's polling for good
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

/** One an interval, each timed anew by the clock: RxJS's `interval` is Node's, which is late a little more each time. */
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
