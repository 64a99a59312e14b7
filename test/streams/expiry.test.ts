import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { SchedulerAction, SchedulerLike } from 'rxjs';
import { expire } from '../../src/streams/expiry.js';
import { answer, refused, runMarbles } from '../support/time/marbles.js';
import type { PollOutcome, Snapshot } from '../../src/patroni/types.js';

const A = answer(200);
const B = answer(503);
const TTL_MS = 4000;

const PENDING: Snapshot = { kind: 'pending', sinceMs: 0 };

function answeredAt(endedAtMs: number, value = A, tookMs = 0): PollOutcome {
  return { kind: 'answered', answer: value, sentAtMs: endedAtMs - tookMs, endedAtMs };
}

function failedAt(endedAtMs: number): PollOutcome {
  return { kind: 'failed', failure: refused('x'), sentAtMs: endedAtMs, endedAtMs };
}

function fresh(sentAtMs: number, value = A): Snapshot {
  return { kind: 'fresh', answer: value, sentAtMs, freshUntilMs: sentAtMs + TTL_MS };
}

function stale(sentAtMs: number, value = A): Snapshot {
  return { kind: 'stale', answer: value, sentAtMs, sinceMs: sentAtMs + TTL_MS };
}

function failures(count: number, sinceMs: number): { failures: NonNullable<Snapshot['failures']> } {
  return { failures: { count, sinceMs, last: refused('x') } };
}

describe('expire', () => {
  it('is pending until the first answer', () => {
    runMarbles(({ hot, expectObservable }, scheduler) => {
      const outcome$ = hot<PollOutcome>('5s a', { a: answeredAt(5000) });
      expectObservable(expire(outcome$, { ttlMs: TTL_MS, scheduler }), '6s !').toBe('p 4999ms a', {
        p: PENDING,
        a: fresh(5000),
      });
    });
  });

  it('makes an answer stale when its time to live is over, to the millisecond, counted from when its poll was sent', () => {
    runMarbles(({ hot, expectObservable }, scheduler) => {
      const outcome$ = hot<PollOutcome>('300ms a', { a: answeredAt(300, A, 300) });
      expectObservable(expire(outcome$, { ttlMs: TTL_MS, scheduler }), '9s !').toBe('p 299ms a 3699ms s', {
        p: PENDING,
        a: fresh(0),
        s: stale(0),
      });
    });
  });

  it('restarts the countdown with each answer, whatever it says', () => {
    runMarbles(({ hot, expectObservable }, scheduler) => {
      const outcome$ = hot<PollOutcome>('1s a 2999ms b', { a: answeredAt(1000), b: answeredAt(4000, B) });
      expectObservable(expire(outcome$, { ttlMs: TTL_MS, scheduler }), '9s !').toBe('p 999ms a 2999ms b 3999ms s', {
        p: PENDING,
        a: fresh(1000),
        b: fresh(4000, B),
        s: stale(4000, B),
      });
    });
  });

  it('counts failed polls, which neither renew an answer nor shorten its life', () => {
    runMarbles(({ hot, expectObservable }, scheduler) => {
      const outcome$ = hot<PollOutcome>('a 999ms f 999ms g 2999ms h', {
        a: answeredAt(0),
        f: failedAt(1000),
        g: failedAt(2000),
        h: failedAt(5000),
      });
      const expected = '(pa) 996ms f 999ms g 1999ms s 999ms h';
      expectObservable(expire(outcome$, { ttlMs: TTL_MS, scheduler }), '6s !').toBe(expected, {
        p: PENDING,
        a: fresh(0),
        f: { ...fresh(0), ...failures(1, 1000) },
        g: { ...fresh(0), ...failures(2, 1000) },
        s: { ...stale(0), ...failures(2, 1000) },
        h: { ...stale(0), ...failures(3, 1000) },
      });
    });
  });

  it('never calls an answer fresh that came when its time was over', () => {
    runMarbles(({ hot, expectObservable }, scheduler) => {
      const outcome$ = hot<PollOutcome>('5s a', { a: answeredAt(5000, A, 4500) });
      expectObservable(expire(outcome$, { ttlMs: TTL_MS, scheduler }), '9s !').toBe('p 4999ms s', {
        p: PENDING,
        s: stale(500),
      });
    });
  });

  it('does not believe a timer that fires early: the answer is stale at its end, and not before', () => {
    runMarbles(({ hot, expectObservable }, scheduler) => {
      /** As Node's, which start at the event loop's cached time. */
      const early: SchedulerLike = {
        now: () => scheduler.now(),
        schedule: <T>(work: (this: SchedulerAction<T>, state: T) => void, delayMs = 0, state?: T) =>
          scheduler.schedule(work as (state?: T) => void, Math.max(0, delayMs - 3), state),
      };
      const outcome$ = hot<PollOutcome>('a', { a: answeredAt(0) });
      expectObservable(expire(outcome$, { ttlMs: TTL_MS, scheduler: early }), '9s !').toBe('(pa) 3996ms s', {
        p: PENDING,
        a: fresh(0),
        s: stale(0),
      });
    });
  });

  it('waits with one timer, and does not look again before the end', () => {
    runMarbles(({ hot, flush, expectObservable }, scheduler) => {
      const delaysMs: number[] = [];
      const counting: SchedulerLike = {
        now: () => scheduler.now(),
        schedule: <T>(work: (this: SchedulerAction<T>, state: T) => void, delayMs = 0, state?: T) => {
          delaysMs.push(delayMs);
          return scheduler.schedule(work as (state?: T) => void, delayMs, state);
        },
      };
      const outcome$ = hot<PollOutcome>('300ms a 5s b', { a: answeredAt(300, A, 300), b: answeredAt(5301, B, 5000) });
      expectObservable(expire(outcome$, { ttlMs: TTL_MS, scheduler: counting }), '9s !').toBe(
        'p 299ms a 3699ms s 1300ms t',
        {
          p: PENDING,
          a: fresh(0),
          s: stale(0),
          t: stale(301, B),
        },
      );
      flush();
      assert.deepEqual(delaysMs, [3700, 0]);
    });
  });

  it('leaves nothing scheduled after unsubscription', () => {
    runMarbles(({ hot, flush, expectObservable, expectSubscriptions }, scheduler) => {
      const outcome$ = hot<PollOutcome>('a', { a: answeredAt(0) });
      expectObservable(expire(outcome$, { ttlMs: TTL_MS, scheduler }), '1s !').toBe('(pa)', {
        p: PENDING,
        a: fresh(0),
      });
      expectSubscriptions(outcome$.subscriptions).toBe('^ 999ms !');
      flush();
      if (scheduler.actions.length > 0) throw new Error(`${scheduler.actions.length} actions are still scheduled`);
    });
  });
});
