import type { SchedulerLike, SchedulerAction, Subscription, VirtualTimeScheduler } from 'rxjs';
import { Observable } from 'rxjs';
import type { Standstill } from '../../../src/streams/heartbeat.js';

/** A process in virtual time that stands still for a while. */
export interface StillProcess {
  /** Its timers and its clock. */
  readonly scheduler: SchedulerLike;
  /** Emits `value`, which arrives at a socket `afterMs` after the subscription, as soon as the process is awake to read it. */
  arriving<T>(afterMs: number, value: T): Observable<T>;
}

/** Node reads sockets after the timers that are due, and before the timers that these start: its shortest timer is 1 ms. */
const SHORTEST_TIMER_MS = 1;
const SOCKETS_AFTER_MS = 0.5;

/**
 * A process as Node's event loop runs it. Everything that was due during its standstill happens at the end of the
 * standstill: first timers, then sockets. Only for timers that are scheduled one by one: a repeating timer is not delayed.
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
