import type { SchedulerLike, SchedulerAction, Subscription, VirtualTimeScheduler } from 'rxjs';
import { Observable } from 'rxjs';
import type { Standstill } from '../../../src/streams/heartbeat.js';

/** A process in virtual time that stands still for a while. */
export interface StillProcess {
  /** Its timers and its clock. */
  readonly scheduler: SchedulerLike;
  /** What comes in at its sockets so long after somebody subscribes, and is read when it is awake. */
  arriving<T>(afterMs: number, value: T): Observable<T>;
}

/** Sockets are read after the timers that are due, and before those which these start: Node's shortest is of 1 ms. */
const SHORTEST_TIMER_MS = 1;
const SOCKETS_AFTER_MS = 0.5;

/**
 * A process as Node's event loop runs it: what should have happened during its standstill happens at its end, first timers,
 * then sockets. For timers that are scheduled one by one: one that repeats itself is not held up.
 */
export function createStillProcess(virtual: VirtualTimeScheduler, { fromMs, toMs }: Standstill): StillProcess {
  const whenAwake = (dueMs: number, lateMs: number): number =>
    dueMs > fromMs && dueMs < toMs + lateMs ? toMs + lateMs : dueMs;
  return {
    scheduler: {
      now: () => virtual.now(),
      schedule<T>(work: (this: SchedulerAction<T>, state?: T) => void, delayMs = 0, state?: T): Subscription {
        const nowMs = virtual.now();
        return virtual.schedule(work, whenAwake(nowMs + Math.max(delayMs, SHORTEST_TIMER_MS), 0) - nowMs, state);
      },
    },
    arriving: (afterMs, value) =>
      new Observable((subscriber) => {
        const nowMs = virtual.now();
        return virtual.schedule(
          () => {
            subscriber.next(value);
            subscriber.complete();
          },
          whenAwake(nowMs + afterMs, SOCKETS_AFTER_MS) - nowMs,
        );
      }),
  };
}
