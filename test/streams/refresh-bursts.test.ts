import { describe, it } from 'node:test';
import { map } from 'rxjs';
import { refreshBursts } from '../../src/streams/refresh-bursts.js';
import { runMarbles } from '../support/time/marbles.js';

/** A burst from its first step on, as marbles: each step is its number. */
const BURST = '0 49ms 1 49ms 2 99ms 3 149ms 4 199ms 5 249ms 6 299ms 7 399ms 8 499ms 9';

describe('bursts', () => {
  it('come close together at first, for two seconds', () => {
    runMarbles(({ hot, expectObservable }, scheduler) => {
      const refresh$ = hot('5ms r');
      expectObservable(refreshBursts(refresh$, scheduler).pipe(map((step) => `${step}`))).toBe(`5ms ${BURST}`);
    });
  });

  it('come one at a time, however often they are asked for: one more, after the one under way', () => {
    runMarbles(({ hot, expectObservable }, scheduler) => {
      const refresh$ = hot('r 99ms rrrrrrrrrr 800ms rrr');
      expectObservable(refreshBursts(refresh$, scheduler).pipe(map((step) => `${step}`))).toBe(`${BURST}${BURST}`);
    });
  });

  it('come anew after a burst that nobody disturbed', () => {
    runMarbles(({ hot, expectObservable }, scheduler) => {
      const refresh$ = hot('r 2999ms r');
      expectObservable(refreshBursts(refresh$, scheduler).pipe(map((step) => `${step}`))).toBe(
        `${BURST} 999ms ${BURST}`,
      );
    });
  });
});
