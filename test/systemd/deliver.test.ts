import { describe, it } from 'node:test';
import { defer, delay, of } from 'rxjs';
import { deliver } from '../../src/systemd/deliver.js';
import type { Message } from '../../src/systemd/types.js';
import { runMarbles } from '../support/time/marbles.js';

/** Delivers in 10 ms each; the first `failing` attempts fail. Emits what was sent, at the end of each attempt. */
function check(title: string, messages: string, expected: string, sent: Record<string, Message>, failing = 0): void {
  const values: Record<string, Message> = {
    r: { state: 'ready' },
    R: { state: { reloadingSinceUs: 7 } },
    s: { status: 's' },
    t: { status: 't' },
    w: { watchdog: true },
  };
  it(title, () => {
    runMarbles(({ hot, expectObservable }, scheduler) => {
      let attempts = 0;
      const sent$ = deliver(hot(messages, values), {
        send: (message) => defer(() => of({ message, failed: ++attempts <= failing }).pipe(delay(10, scheduler))),
        isDelivered: ({ failed }) => !failed,
        retryMs: 100,
        scheduler,
      });
      const outcomes = Object.entries(sent).map(([name, message], index) => [
        name,
        { message, failed: index < failing },
      ]);
      expectObservable(sent$).toBe(expected, Object.fromEntries(outcomes) as object);
    });
  });
}

describe('messages to systemd are delivered', () => {
  check('at once', 'r 49ms s', '10ms a 49ms b', { a: { state: 'ready' }, b: { status: 's' } });
  check('one at a time, the newest of each field', 'r-s-t-w', '10ms a 9ms b', {
    a: { state: 'ready' },
    b: { status: 't', watchdog: true },
  });
  check('so that a reload that is over already ends with READY', 's-R-r', '10ms a 9ms b', {
    a: { status: 's' },
    b: { state: 'ready' },
  });
  check(
    'again after a pause if that failed, with what has come meanwhile',
    'r---- 20ms w 20ms s',
    '10ms a 109ms b',
    { a: { state: 'ready' }, b: { state: 'ready', watchdog: true, status: 's' } },
    1,
  );

  it('and the one under way ends with the subscription', () => {
    runMarbles(({ cold, hot, expectSubscriptions, expectObservable }, scheduler) => {
      const child = cold('--------s|');
      const sent$ = deliver(hot('r', { r: { state: 'ready' } }), {
        send: () => child,
        isDelivered: () => true,
        retryMs: 100,
        scheduler,
      });
      expectObservable(sent$, '---!').toBe('----');
      expectSubscriptions(child.subscriptions).toBe('^--!');
    });
  });
});
