import { describe, it } from 'node:test';
import { type Observable, map } from 'rxjs';
import type { TestScheduler } from 'rxjs/testing';
import { type RoutePolling, snapshotsOf } from '../../src/streams/snapshots.js';
import { answer, refused, runMarbles } from '../support/time/marbles.js';
import type { PollOutcome, Snapshot } from '../../src/patroni/types.js';

/** `200 until 10`, `stale`, `pending` */
function told(snapshot: Snapshot): string {
  return snapshot.kind === 'fresh' ? `${snapshot.answer.status} until ${snapshot.freshUntilMs}` : snapshot.kind;
}

function answered(status: number, sentAtMs: number): PollOutcome {
  return { kind: 'answered', answer: answer(status), sentAtMs, endedAtMs: sentAtMs };
}

const FAILED: PollOutcome = { kind: 'failed', failure: refused('no'), sentAtMs: 0, endedAtMs: 0 };

function following(polling$: Observable<RoutePolling>, scheduler: TestScheduler): Observable<string> {
  return snapshotsOf(polling$, scheduler).pipe(map(told));
}

describe('snapshotsOf', () => {
  it('keeps what is known when a route is polled otherwise, and ends the former polls', () => {
    runMarbles(({ cold, hot, expectObservable, expectSubscriptions }, scheduler) => {
      const first$ = cold<PollOutcome>('-a', { a: answered(200, 1) });
      const second$ = cold<PollOutcome>('---b', { b: answered(503, 8) });
      const polling$ = hot<RoutePolling>('f----s', {
        f: { upstream: 'a', event$: first$, ttlMs: 20 },
        s: { upstream: 'a', event$: second$, ttlMs: 20 },
      });
      expectObservable(following(polling$, scheduler), '^-----------!').toBe('pa------b', {
        p: 'pending',
        a: '200 until 21',
        b: '503 until 28',
      });
      expectSubscriptions(first$.subscriptions).toBe('^----!');
      expectSubscriptions(second$.subscriptions).toBe('-----^------!');
    });
  });

  it('lets a shorter time to live hold at once, to the millisecond', () => {
    runMarbles(({ cold, hot, expectObservable }, scheduler) => {
      const polling$ = hot<RoutePolling>('f----s', {
        f: { upstream: 'a', event$: cold('-a', { a: answered(200, 1) }), ttlMs: 20 },
        s: { upstream: 'a', event$: cold<PollOutcome>('-'), ttlMs: 7 },
      });
      expectObservable(following(polling$, scheduler), '^-----------!').toBe('pa---b--s', {
        p: 'pending',
        a: '200 until 21',
        b: '200 until 8',
        s: 'stale',
      });
    });
  });

  it('says stale at once where a shorter time to live is over already', () => {
    runMarbles(({ cold, hot, expectObservable }, scheduler) => {
      const polling$ = hot<RoutePolling>('f----s', {
        f: { upstream: 'a', event$: cold('-a', { a: answered(200, 1) }), ttlMs: 20 },
        s: { upstream: 'a', event$: cold<PollOutcome>('-'), ttlMs: 3 },
      });
      const values = { p: 'pending', a: '200 until 21', s: 'stale' };
      expectObservable(following(polling$, scheduler), '^-----------!').toBe('pa---s', values);
    });
  });

  it('lets a longer time to live hold from the next answer on; what is stale stays so', () => {
    runMarbles(({ cold, hot, expectObservable }, scheduler) => {
      const polling$ = hot<RoutePolling>('f-----s', {
        f: { upstream: 'a', event$: cold('-a', { a: answered(200, 1) }), ttlMs: 7 },
        s: { upstream: 'a', event$: cold('------x---b', { x: FAILED, b: answered(200, 16) }), ttlMs: 20 },
      });
      const values = { p: 'pending', a: '200 until 8', s: 'stale', x: 'stale', b: '200 until 36' };
      expectObservable(following(polling$, scheduler), '^-----------------!').toBe('pa------s---x---b', values);
    });
  });

  it('takes nothing over from another upstream', () => {
    runMarbles(({ cold, hot, expectObservable }, scheduler) => {
      const polling$ = hot<RoutePolling>('f----s', {
        f: { upstream: 'a', event$: cold('-a', { a: answered(200, 1) }), ttlMs: 20 },
        s: { upstream: 'b', event$: cold('--b', { b: answered(503, 7) }), ttlMs: 20 },
      });
      const values = { p: 'pending', a: '200 until 21', q: 'pending', b: '503 until 27' };
      expectObservable(following(polling$, scheduler), '^-----------!').toBe('pa---q-b', values);
    });
  });
});
