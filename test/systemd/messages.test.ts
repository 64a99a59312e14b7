import { describe, it } from 'node:test';
import { tap } from 'rxjs';
import type { Message } from '../../src/systemd/types.js';
import { messages } from '../../src/systemd/messages.js';
import { runMarbles } from '../support/time/marbles.js';

interface Scene {
  readonly listening?: string;
  readonly polled?: string;
  readonly changed?: string;
  readonly reloading?: string;
  readonly reloaded?: string;
  readonly watchdogMs?: number;
  readonly expected: string;
}

/** `c` and `d` on `changed` are what checks get from then on; before, it is `0`. */
const values: Record<string, Message> = {
  r: { state: 'ready' },
  z: { status: '0' },
  c: { status: 'c' },
  d: { status: 'd' },
  R: { state: { reloadingSinceUs: 7 } },
  w: { watchdog: true },
};

function check(title: string, scene: Scene): void {
  it(title, () => {
    runMarbles(({ hot, expectObservable }, scheduler) => {
      const { listening = 'l', polled = 'a', changed = '-', reloading = '-', reloaded = '-' } = scene;
      let now = '0';
      const changed$ = hot(changed).pipe(tap((value) => (now = value)));
      const message$ = messages({
        ...{ listening$: hot(listening), polled$: hot(polled), changed$, scheduler, watchdogMs: scene.watchdogMs },
        ...{ reloading$: hot(reloading), reloaded$: hot(reloaded), routes: ['a'], withinMs: 2000 },
        status: () => now,
        monotonicUs: () => 7,
      });
      expectObservable(message$, '10s !').toBe(scene.expected, values);
    });
  });
}

describe('systemd is told', () => {
  check('that the service is ready, and then what checks get', { expected: '(rz)' });
  check('nothing before it is ready, and then that a frozen Patroni has not answered', {
    polled: '-',
    changed: '500ms c',
    expected: '2s (rc)',
  });
  check('of a change within 5 s, and of the last of many', {
    changed: '-c 999ms d 999ms c 999ms d',
    expected: '(rz) 4996ms d',
  });
  check('not of a change that was undone', { changed: '100ms c 100ms 0', expected: '(rz)' });
  check('that it reads its configuration, and that it has', {
    reloading: '1s a',
    reloaded: ' 1200ms a',
    expected: '(rz) 996ms R 199ms r',
  });
  check('of no reload that is part of the start', {
    listening: '1s l',
    polled: '500ms a',
    reloading: '700ms a',
    expected: '1s (rz)',
  });
  check('that it is alive, twice in the time that systemd waits', {
    watchdogMs: 6000,
    expected: '(rz) 2996ms w 2999ms w 2999ms w',
  });
});
