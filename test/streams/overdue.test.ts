import { describe, it } from 'node:test';
import type { PollOutcome } from '../../src/patroni/types.js';
import { overdue } from '../../src/streams/overdue.js';
import { answer, refused, runMarbles } from '../support/time/marbles.js';

function answered(sentAtMs: number): PollOutcome {
  return { kind: 'answered', answer: answer(503), sentAtMs, endedAtMs: sentAtMs };
}

const FAILED: PollOutcome = { kind: 'failed', failure: refused('no'), sentAtMs: 0, endedAtMs: 0 };
const VALUES = { f: false, t: true };

describe('overdue', () => {
  it('is true when a poll has been in flight for an interval, and false from the next answer on, whatever its status', () => {
    runMarbles(({ hot, expectObservable }, scheduler) => {
      const outcome$ = hot<PollOutcome>('--a------------b', { a: answered(2), b: answered(13) });
      // the next poll begins at 2 + 4, and is overdue at 2 + 4 + 4
      expectObservable(overdue(outcome$, { intervalMs: 4, ttlMs: 20, scheduler }), '^----------------!').toBe(
        'f---------t----f',
        VALUES,
      );
    });
  });

  it('is true at the first failed poll, and stays true while polls fail', () => {
    runMarbles(({ hot, expectObservable }, scheduler) => {
      const outcome$ = hot<PollOutcome>('-a-x-x-x-b', { a: answered(1), b: answered(8), x: FAILED });
      expectObservable(overdue(outcome$, { intervalMs: 4, ttlMs: 20, scheduler }), '^-----------!').toBe(
        'f--t-----f',
        VALUES,
      );
    });
  });

  it('is true if the first poll is not answered within an interval', () => {
    runMarbles(({ hot, expectObservable }, scheduler) => {
      const outcome$ = hot<PollOutcome>('--------');
      expectObservable(overdue(outcome$, { intervalMs: 4, ttlMs: 20, scheduler }), '^------!').toBe('f---t', VALUES);
    });
  });

  it('counts from the moment at which the next poll can begin, if the last answer took longer than an interval', () => {
    runMarbles(({ hot, expectObservable }, scheduler) => {
      const slow: PollOutcome = { kind: 'answered', answer: answer(503), sentAtMs: 0, endedAtMs: 6 };
      const outcome$ = hot<PollOutcome>('------a------', { a: slow });
      // the tick at 4 is skipped; the next poll begins at 8, and is overdue at 12
      expectObservable(overdue(outcome$, { intervalMs: 4, ttlMs: 40, scheduler }), '^------------!').toBe(
        'f---t-f-----t',
        VALUES,
      );
    });
  });

  it('is true before the last answer ends, if the interval is nearly as long as the time to live', () => {
    runMarbles(({ hot, expectObservable }, scheduler) => {
      const outcome$ = hot<PollOutcome>('a------------', { a: answered(0) });
      // the answer ends at 10, the next poll begins at 6
      expectObservable(overdue(outcome$, { intervalMs: 6, ttlMs: 10, scheduler }), '^-----------!').toBe(
        'f-------t',
        VALUES,
      );
    });
  });
});
