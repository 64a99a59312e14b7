import { describe, it } from 'node:test';
import { readiness } from '../../src/systemd/readiness.js';
import { runMarbles } from '../support/time/marbles.js';

/** Two routes, a and b; ready 5 ms after listening in any case. */
function check(title: string, { listening, polled, ready }: Record<'listening' | 'polled' | 'ready', string>): void {
  it(title, () => {
    runMarbles(({ hot, expectObservable }, scheduler) => {
      const ready$ = readiness({
        listening$: hot(listening),
        polled$: hot(polled),
        routes: ['a', 'b'],
        withinMs: 5,
        scheduler,
      });
      expectObservable(ready$).toBe(ready, { r: undefined });
    });
  });
}

describe('the service is ready', () => {
  check('when it listens and each route has been polled', {
    listening: 'l---------',
    polled: '   --a-b-----',
    ready: '    ----(r|)',
  });
  check('when it listens, if the polls were first', {
    listening: '-----l----',
    polled: '   -ab-------',
    ready: '    -----(r|)',
  });
  check('not because one route is polled again and again, but when it has listened for long enough', {
    listening: '-l---------',
    polled: '   --a-a-a-a--',
    ready: '    ------(r|)',
  });
  check('not before it listens, however long that takes', {
    listening: '-----------',
    polled: '   -ab--------',
    ready: '    -----------',
  });
  check('once, and both subscriptions end', {
    listening: 'l-l-l',
    polled: '   ab-ab',
    ready: '    -(r|)',
  });
});
