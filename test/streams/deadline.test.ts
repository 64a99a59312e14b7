import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EMPTY, type SchedulerLike, TimeoutError, type Observable, catchError, of } from 'rxjs';
import type { TestScheduler } from 'rxjs/testing';
import { deadline } from '../../src/streams/deadline.js';
import { runMarbles } from '../support/time/marbles.js';

/** `t` if the deadline ended the source. */
function told(source$: Observable<string>): Observable<string> {
  return source$.pipe(catchError((cause: unknown) => of(cause instanceof TimeoutError ? 't' : 'another error')));
}

/** A scheduler whose timers fire this much too late. A timer of 0 ms waits for a turn of the event loop and fires after 1 ms. */
function late(virtual: TestScheduler, byMs: number): SchedulerLike {
  return {
    now: () => virtual.now(),
    schedule: (work: never, delayMs = 0, state?: never) =>
      virtual.schedule(work, delayMs === 0 ? 1 : delayMs + byMs, state),
  };
}

describe('deadline', () => {
  it('passes on what comes in time, and leaves nothing scheduled', () => {
    runMarbles(({ cold, expectObservable, expectSubscriptions, flush }, scheduler) => {
      const source = cold('              99ms (a|)');
      const subscriptions = '            ^ 98ms !';
      expectObservable(source.pipe(deadline(100, scheduler), told)).toBe('99ms (a|)');
      expectSubscriptions(source.subscriptions).toBe(subscriptions);
      flush();
      assert.deepEqual(scheduler.actions, []);
    });
  });

  it('ends what has not come, and unsubscribes', () => {
    runMarbles(({ cold, expectObservable, expectSubscriptions }, scheduler) => {
      const source = cold('              200ms (a|)');
      const subscriptions = '            ^ 99ms !';
      expectObservable(source.pipe(deadline(100, scheduler), told)).toBe('100ms (t|)');
      expectSubscriptions(source.subscriptions).toBe(subscriptions);
    });
  });

  it('counts to the first value, not to the end', () => {
    runMarbles(({ cold, expectObservable }, scheduler) => {
      const source = cold('              99ms a 400ms b|');
      expectObservable(source.pipe(deadline(100, scheduler), told)).toBe('99ms a 400ms b|');
    });
  });

  it('passes on an error, and an end without a value, at once', () => {
    runMarbles(({ cold, expectObservable }, scheduler) => {
      expectObservable(cold('10ms #', {}, 'reset').pipe(deadline(100, scheduler))).toBe('10ms #', {}, 'reset');
      expectObservable(EMPTY.pipe(deadline(100, scheduler))).toBe('|');
    });
  });

  it('that is late gives way to what comes in the next turn of the event loop', () => {
    runMarbles(({ cold, expectObservable, expectSubscriptions }, virtual) => {
      const source = cold('              5s (a|)');
      const subscriptions = '            ^ 4999ms !';
      expectObservable(source.pipe(deadline(100, late(virtual, 4899)), told)).toBe('5s (a|)');
      expectSubscriptions(source.subscriptions).toBe(subscriptions);
    });
  });

  it('that is late waits for that turn, and no longer', () => {
    runMarbles(({ cold, expectObservable, expectSubscriptions }, virtual) => {
      const source = cold('              5002ms (a|)');
      const subscriptions = '            ^ 5s !';
      expectObservable(source.pipe(deadline(100, late(virtual, 4900)), told)).toBe('5001ms (t|)');
      expectSubscriptions(source.subscriptions).toBe(subscriptions);
    });
  });

  it('leaves nothing behind that is unsubscribed, before it and in its last turn', () => {
    runMarbles(({ cold, expectObservable, flush }, virtual) => {
      const source$ = cold('-').pipe(deadline(100, late(virtual, 0)), told);
      expectObservable(source$, '50ms !').toBe('');
      expectObservable(source$, '100ms !').toBe('');
      flush();
      assert.deepEqual(virtual.actions, []);
    });
  });
});
