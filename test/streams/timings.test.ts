import { describe, it } from 'node:test';
import { NEVER, type Observable, defer, map, throwError } from 'rxjs';
import type { TestScheduler } from 'rxjs/testing';
import type { Answer } from '../../src/snapshot.js';
import { type TimingsOptions, timings } from '../../src/streams/timings.js';
import { runMarbles } from '../support/marbles.js';

const saying = (ttl: number): Answer => ({ status: 200, body: Buffer.from(JSON.stringify({ ttl })) });
const NONSENSE: Answer = { status: 502, body: Buffer.from('no') };

/** Patroni's `ttl` in seconds, as it becomes known; 0 for unknown. */
function told(config$: Observable<Answer>, scheduler: TestScheduler, options: Partial<TimingsOptions> = {}) {
  const defaults = { again$: NEVER, everyMs: 5, deadlineMs: () => 3 };
  return timings(config$, { ...defaults, scheduler, ...options }).pipe(map((known) => (known?.ttlMs ?? 0) / 1000));
}

describe('timings', () => {
  it('are asked for at once, and again every so often', () => {
    runMarbles(({ cold, expectObservable, expectSubscriptions }, scheduler) => {
      const config$ = cold<Answer>('-(a|)', { a: saying(40) });
      expectObservable(told(config$, scheduler), '^-------!').toBe('ua----a', { u: 0, a: 40 });
      expectSubscriptions(config$.subscriptions).toBe(['^!', '-----^!']);
    });
  });

  it('stay known while Patroni answers nothing, or nonsense', () => {
    runMarbles(({ cold, expectObservable }, scheduler) => {
      const answers = [
        cold<Answer>('(a|)', { a: saying(40) }),
        cold<Answer>('-'),
        cold<Answer>('(n|)', { n: NONSENSE }),
      ];
      const config$ = defer(() => answers.shift() ?? NEVER);
      expectObservable(told(config$, scheduler), '^--------------!').toBe('(ua)------a', { u: 0, a: 40 });
    });
  });

  it('are unknown, in silence, where Patroni never says', () => {
    runMarbles(({ expectObservable }, scheduler) => {
      const config$ = throwError(() => new Error('refused'));
      expectObservable(told(config$, scheduler), '^--------!').toBe('u', { u: 0 });
    });
  });

  it('are asked for anew when told to, and stay known meanwhile', () => {
    runMarbles(({ cold, hot, expectObservable, expectSubscriptions }, scheduler) => {
      const config$ = cold<Answer>('-(a|)', { a: saying(40) });
      const again$ = hot('---r');
      expectObservable(told(config$, scheduler, { again$ }), '^------!').toBe('ua-aa', { u: 0, a: 40 });
      expectSubscriptions(config$.subscriptions).toBe(['^!', '---^!']);
    });
  });
});
