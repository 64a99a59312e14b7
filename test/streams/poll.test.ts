import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NEVER, type SchedulerLike, defer, map } from 'rxjs';
import { type PollOptions, poll } from '../../src/streams/poll.js';
import { answer, refused, runMarbles } from '../support/time/marbles.js';
import type { Answer, PollOutcome } from '../../src/patroni/types.js';

const A = answer(200);
const B = answer(503);

function answered(value: Answer, sentAtMs: number, endedAtMs: number): PollOutcome {
  return { kind: 'answered', answer: value, sentAtMs, endedAtMs };
}

function failed(cause: unknown, sentAtMs: number, endedAtMs: number): PollOutcome {
  return { kind: 'failed', failure: refused(cause), sentAtMs, endedAtMs };
}

const PACE: Omit<PollOptions, 'scheduler'> = { intervalMs: 1000, deadlineMs: 2000, classify: refused };

describe('poll', () => {
  it('asks at once, then once an interval, from start to start', () => {
    runMarbles(({ cold, expectObservable, expectSubscriptions }, scheduler) => {
      const request = cold('     30ms (a|)', { a: A });
      const subscriptions = [
        '                        ^ 29ms !',
        '                        1s ^ 29ms !',
        '                        2s ^ 29ms !',
      ];
      const unsubscribed = '     2500ms !';
      const expected = '         30ms x 999ms y 999ms z';
      const outcome$ = poll(request, { ...PACE, scheduler });
      expectObservable(outcome$, unsubscribed).toBe(expected, {
        x: answered(A, 0, 30),
        y: answered(A, 1000, 1030),
        z: answered(A, 2000, 2030),
      });
      expectSubscriptions(request.subscriptions).toBe(subscriptions);
    });
  });

  it('asks when told to, too, and keeps to its ticks; not while a poll is in flight', () => {
    runMarbles(({ cold, hot, expectSubscriptions, expectObservable }, scheduler) => {
      const request = cold('     30ms (a|)', { a: A });
      const refresh$ = hot('     100ms r 9ms r 889ms r'); // at 100, 110 (in flight), and 1000, with the tick
      const subscriptions = [
        '                        ^ 29ms !',
        '                        100ms ^ 29ms !',
        '                        1s ^ 29ms !',
      ];
      const outcome$ = poll(request, { ...PACE, refresh$, scheduler });
      expectObservable(outcome$, '1500ms !').toBe('30ms x 99ms y 899ms z', {
        x: answered(A, 0, 30),
        y: answered(A, 100, 130),
        z: answered(A, 1000, 1030),
      });
      expectSubscriptions(request.subscriptions).toBe(subscriptions);
    });
  });

  it('keeps to its moment of the interval, whenever it began', () => {
    runMarbles(({ cold, expectObservable, expectSubscriptions }, scheduler) => {
      const request = cold('     30ms (a|)', { a: A });
      const subscriptions = [
        '                        ^ 29ms !',
        '                        300ms ^ 29ms !',
        '                        1300ms ^ 29ms !',
      ];
      const unsubscribed = '     2000ms !';
      const expected = '         30ms x 299ms y 999ms z';
      const outcome$ = poll(request, { ...PACE, phaseMs: 300, scheduler });
      expectObservable(outcome$, unsubscribed).toBe(expected, {
        x: answered(A, 0, 30),
        y: answered(A, 300, 330),
        z: answered(A, 1300, 1330),
      });
      expectSubscriptions(request.subscriptions).toBe(subscriptions);
    });
  });

  it('keeps to the clock although timers are late, and skips what they have missed', () => {
    runMarbles(({ cold, expectSubscriptions }, virtual) => {
      const late = [7, 7, 7, 2500, 7, 7];
      const scheduler: SchedulerLike = {
        now: () => virtual.now(),
        schedule: (work: never, delay = 0, state?: never) =>
          virtual.schedule(work, delay > 500 ? delay + (late.shift() ?? 0) : delay, state),
      };
      const request = cold('(a|)', { a: A });
      const subscription = poll(request, { ...PACE, deadlineMs: 500, scheduler }).subscribe({ error: assert.ifError });
      virtual.schedule(() => {
        subscription.unsubscribe();
      }, 8500);
      const begun = ['^', '1007ms ^', '2007ms ^', '3007ms ^', '6500ms ^', '7s ^', '8007ms ^'];
      expectSubscriptions(request.subscriptions).toBe(begun.map((marbles) => marbles.replace('^', '(^!)')));
    });
  });

  it('skips a tick that finds a poll in flight, and keeps to the clock afterwards', () => {
    runMarbles(({ cold, expectObservable, expectSubscriptions }, scheduler) => {
      const request = cold('     1500ms (a|)', { a: A });
      const subscriptions = ['                        ^ 1499ms !', '                        2s ^ 1499ms !'];
      const unsubscribed = '     3900ms !';
      const expected = '         1500ms x 1999ms y';
      expectObservable(poll(request, { ...PACE, scheduler }), unsubscribed).toBe(expected, {
        x: answered(A, 0, 1500),
        y: answered(A, 2000, 3500),
      });
      expectSubscriptions(request.subscriptions).toBe(subscriptions);
    });
  });

  it('ends a poll at its deadline, unsubscribes the request, and asks again at the next tick', () => {
    runMarbles(({ cold, expectObservable, expectSubscriptions }, scheduler) => {
      const silent = cold<Answer>('-');
      const subscriptions = ['                        ^ 1499ms !', '                        2s ^ 1499ms !'];
      const unsubscribed = '     3900ms !';
      const outcome$ = poll(silent, { ...PACE, deadlineMs: 1500, scheduler }).pipe(
        map((outcome) =>
          outcome.kind === 'failed' ? [outcome.failure.reason, outcome.failure.message, outcome.sentAtMs] : [],
        ),
      );
      expectObservable(outcome$, unsubscribed).toBe('1500ms x 1999ms y', {
        x: ['timed-out', 'no complete answer within 1.5 s', 0],
        y: ['timed-out', 'no complete answer within 1.5 s', 2000],
      });
      expectSubscriptions(silent.subscriptions).toBe(subscriptions);
    });
  });

  it('ends a poll a little before a deadline that falls together with a tick, which so is never lost', () => {
    runMarbles(({ cold, expectObservable, expectSubscriptions }, scheduler) => {
      const silent = cold<Answer>('-');
      const subscriptions = ['                        ^ 1979ms !', '                        2s ^ 1979ms !'];
      const unsubscribed = '     3990ms !';
      const ended$ = poll(silent, { ...PACE, scheduler }).pipe(map(({ endedAtMs }) => endedAtMs));
      expectObservable(ended$, unsubscribed).toBe('1980ms x 1999ms y', { x: 1980, y: 3980 });
      expectSubscriptions(silent.subscriptions).toBe(subscriptions);
    });
  });

  it('goes on polling after a failure', () => {
    runMarbles(({ cold, expectObservable }, scheduler) => {
      const answers = [cold<Answer>('10ms #', undefined, 'reset'), cold('10ms (b|)', { b: B })];
      const request = defer(() => answers.shift() ?? NEVER);
      const outcome$ = poll(request, { ...PACE, scheduler });
      expectObservable(outcome$, '1500ms !').toBe('10ms x 999ms y', {
        x: failed('reset', 0, 10),
        y: answered(B, 1000, 1010),
      });
    });
  });

  it('leaves nothing scheduled after unsubscription, and ends the request in flight', () => {
    runMarbles(({ cold, flush, expectObservable, expectSubscriptions }, scheduler) => {
      const silent = cold<Answer>('-');
      expectObservable(poll(silent, { ...PACE, scheduler }), '500ms !').toBe('');
      expectSubscriptions(silent.subscriptions).toBe('^ 499ms !');
      flush();
      if (scheduler.actions.length > 0) throw new Error(`${scheduler.actions.length} actions are still scheduled`);
    });
  });

  for (const [intervalMs, deadlineMs, endMs] of [
    [1000, 2000, 1980],
    [1000, 1000, 980],
    [1000, 2005, 1980],
    [1000, 2019, 1980],
    [1000, 2020, 2020],
    [1000, 1990, 1990],
    [1000, 500, 500],
    [1000, 10, 10],
    [100, 200, 190],
    [100, 209, 190],
    [100, 210, 210],
  ] as const) {
    it(`gives a poll up a little before a tick, not with it or after: ${deadlineMs} ms, each ${intervalMs} ms`, () => {
      runMarbles(({ expectObservable }, scheduler) => {
        const outcome$ = poll(NEVER, { ...PACE, intervalMs, deadlineMs, scheduler }).pipe(
          map(({ endedAtMs, sentAtMs }) => endedAtMs - sentAtMs),
        );
        expectObservable(outcome$, `${endMs + 1}ms !`).toBe(`${endMs}ms e`, { e: endMs });
      });
    });
  }
});
