import { describe, it } from 'node:test';
import { NEVER, type Observable, map } from 'rxjs';
import type { TestScheduler } from 'rxjs/testing';
import { type ConfigAsking, dynamicConfigs } from '../../src/streams/dynamic-configs.js';
import { runMarbles } from '../support/time/marbles.js';
import type { Answer } from '../../src/patroni/types.js';

const saying = (ttl: number): Answer => ({ status: 200, body: Buffer.from(JSON.stringify({ ttl })) });
const NONSENSE: Answer = { status: 502, body: Buffer.from('no') };

/** The `ttl` in Patroni's answers. patroniglue asks every 20 ms, and 2 ms after a failure. */
function told(
  config$: Observable<Answer>,
  scheduler: TestScheduler,
  asking: Partial<ConfigAsking>,
): Observable<unknown> {
  const defaults = { answered$: NEVER, again$: NEVER, retryMs: () => 2, everyMs: 20, deadlineMs: () => 3 };
  return dynamicConfigs(config$, { ...defaults, scheduler, ...asking }).pipe(map(({ ttl }) => ttl));
}

describe('the dynamic configuration', () => {
  it('is asked for at once, and again every so often, when a poll was answered', () => {
    runMarbles(({ cold, hot, expectObservable, expectSubscriptions }, scheduler) => {
      const config$ = cold<Answer>('        -(a|)', { a: saying(40) });
      const answered$ = hot('               p-p-p-p 20ms p-p');
      expectObservable(told(config$, scheduler, { answered$ }), '^ 35ms !').toBe('-a 26ms a', { a: 40 });
      expectSubscriptions(config$.subscriptions).toBe(['^!', '27ms ^!']);
    });
  });

  it('is asked for again with growing pauses while it is not known, but not before a poll was answered', () => {
    runMarbles(({ cold, hot, expectSubscriptions, expectObservable }, scheduler) => {
      const config$ = cold<Answer>('(n|)', { n: NONSENSE });
      const answered$ = hot('       -----p----p----p----p 24ms p----p');
      expectObservable(told(config$, scheduler, { answered$ }), '^ 52ms !').toBe('-');
      // the pauses end at 2, 9, 18 and 36: the last one long before a poll is answered
      expectSubscriptions(config$.subscriptions).toBe(['(^!)', '-----(^!)', '10ms (^!)', '20ms (^!)', '45ms (^!)']);
    });
  });

  it('is never asked for at a Patroni that answers nothing', () => {
    runMarbles(({ cold, expectObservable, expectSubscriptions }, scheduler) => {
      const config$ = cold<Answer>('-');
      expectObservable(told(config$, scheduler, {}), '^ 500ms !').toBe('-');
      expectSubscriptions(config$.subscriptions).toBe(['^--!']);
    });
  });

  it('pauses no longer than where it is known', () => {
    runMarbles(({ cold, hot, expectObservable, expectSubscriptions }, scheduler) => {
      const config$ = cold<Answer>('(n|)', { n: NONSENSE });
      const answered$ = hot(`-----${'p----'.repeat(17)}`);
      expectObservable(told(config$, scheduler, { answered$ }), '^ 88ms !').toBe('-');
      const atMs = [5, 10, 20, 40, 65];
      expectSubscriptions(config$.subscriptions).toBe(['(^!)', ...atMs.map((ms) => `${ms}ms (^!)`)]);
    });
  });

  it('is asked for before the pause is over when told to, then too only when a poll was answered', () => {
    runMarbles(({ cold, hot, expectObservable, expectSubscriptions }, scheduler) => {
      const config$ = cold<Answer>('(a|)', { a: saying(40) });
      const again$ = hot('          ---r');
      const answered$ = hot('       --p---p');
      expectObservable(told(config$, scheduler, { answered$, again$ }), '^------!').toBe('a-----a', { a: 40 });
      expectSubscriptions(config$.subscriptions).toBe(['(^!)', '------(^!)']);
    });
  });

  it('is asked for with the next polls, too, where it could not be asked for', () => {
    runMarbles(({ cold, hot, expectObservable, expectSubscriptions }, scheduler) => {
      const config$ = cold<Answer>('|');
      const answered$ = hot('       ---p--p--p');
      expectObservable(told(config$, scheduler, { answered$ }), '^ 12ms !').toBe('-');
      expectSubscriptions(config$.subscriptions).toBe(['(^!)', '---(^!)', '---------(^!)']);
    });
  });
});
