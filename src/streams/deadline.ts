import { type MonoTypeOperatorFunction, NEVER, type SchedulerLike, raceWith, switchMap, timeout, timer } from 'rxjs';

/**
 * Errors with a `TimeoutError` and unsubscribes from the source if this emits nothing within `ms` and one more turn of the
 * event loop.
 *
 * The extra turn is for sockets: the event loop runs due timers before it reads sockets. After a standstill of the process
 * (SIGSTOP, a blocked loop), its deadlines are over, but an answer that came in time may still be unread in its socket.
 */
export function deadline<T>(ms: number, scheduler: SchedulerLike): MonoTypeOperatorFunction<T> {
  // Node's shortest timer takes 1 ms. A timer that another timer starts never runs before the sockets have been read.
  const oneTurn$ = NEVER.pipe(timeout({ first: 0, scheduler }));
  return raceWith(timer(ms, scheduler).pipe(switchMap(() => oneTurn$)));
}
