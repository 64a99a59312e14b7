import { EMPTY, type Observable, type SchedulerLike, defer, exhaustMap, of, repeat, tap, timer } from 'rxjs';
import type { Message } from './types.js';

/** How messages are sent. */
export interface Delivery<R> {
  /** Sends one message, and emits whether systemd has it. Never errors. */
  readonly send: (message: Message) => Observable<R>;
  readonly isDelivered: (result: R) => boolean;
  /** The pause before a message that was not delivered is sent again, in milliseconds. */
  readonly retryMs: number;
  readonly scheduler: SchedulerLike;
}

/**
 * Sends messages one at a time. What comes meanwhile becomes one message, the newest of each field: so what waits is bounded,
 * and a READY that is late is not sent before the RELOADING that it ends. Emits the result of each attempt. Unsubscription
 * ends the attempt that is under way.
 */
export function deliver<R>(message$: Observable<Message>, delivery: Delivery<R>): Observable<R> {
  const { send, isDelivered, retryMs, scheduler } = delivery;
  return defer(() => {
    let waiting: Message = {};
    let pauseMs = 0;
    const attempt$ = defer(() => {
      const message = waiting;
      waiting = {};
      return send(message).pipe(
        tap((result) => {
          pauseMs = isDelivered(result) ? 0 : retryMs;
          if (pauseMs > 0) waiting = { ...message, ...waiting };
        }),
      );
    });
    return message$.pipe(
      tap((message) => (waiting = { ...waiting, ...message })),
      // exhaustMap: one attempt at a time; each repetition takes what has come meanwhile
      exhaustMap(() =>
        attempt$.pipe(
          repeat({ delay: () => (isEmpty(waiting) ? EMPTY : pauseMs > 0 ? timer(pauseMs, scheduler) : of(0)) }),
        ),
      ),
    );
  });
}

function isEmpty(message: Message): boolean {
  return Object.keys(message).length === 0;
}
