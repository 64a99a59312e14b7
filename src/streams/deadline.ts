import { type MonoTypeOperatorFunction, NEVER, type SchedulerLike, raceWith, switchMap, timeout, timer } from 'rxjs';

/**
 * Errors with a `TimeoutError`, and unsubscribes from the source, where that has emitted nothing within `ms`, and not in one
 * more turn of the event loop either.
 *
 * The turn is for sockets: the loop runs the timers that are due before it reads them. After a process stood still (SIGSTOP,
 * a blocked loop) its deadlines are over, and an answer that came in time still lies unread in its socket.
 */
export function deadline<T>(ms: number, scheduler: SchedulerLike): MonoTypeOperatorFunction<T> {
  // Node's shortest timer is of 1 ms, and one that a timer starts is never run before the sockets were read.
  const oneTurn$ = NEVER.pipe(timeout({ first: 0, scheduler }));
  return raceWith(timer(ms, scheduler).pipe(switchMap(() => oneTurn$)));
}
