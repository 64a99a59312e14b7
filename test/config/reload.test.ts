import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Observable, Subject, type Subscription, VirtualTimeScheduler } from 'rxjs';
import { type ReloadOptions, reloads } from '../../src/config/reload.js';
import type { LoadedConfig, Reload } from '../../src/config/types.js';

const EVERY_MS = 30_000;

const loaded = (text: string): LoadedConfig => ({ ...({} as LoadedConfig), file: 'c.yml', text });

/** Runs `reloads` and notes each result in words. The test controls `asked$` and the time. */
function watch(options: Partial<ReloadOptions>): {
  readonly ask: () => void;
  readonly told: string[];
  readonly scheduler: VirtualTimeScheduler;
  readonly settled: () => Promise<void>;
  readonly subscription: Subscription;
} {
  const scheduler = new VirtualTimeScheduler();
  const asked$ = new Subject<void>();
  const told: string[] = [];
  const reload$: Observable<Reload> = reloads({
    initial: loaded('0'),
    asked$,
    watchEveryMs: EVERY_MS,
    apply: () => Promise.resolve(),
    reload: () => Promise.resolve(undefined),
    scheduler,
    ...options,
  });
  const subscription = reload$.subscribe({
    next: (reload) => {
      if (reload.kind === 'accepted') told.push(`${reload.before.text} -> ${reload.after.text}`);
      else told.push(reload.kind === 'refused' ? `refused: ${String(reload.cause)}` : reload.kind);
    },
    error: (error: unknown) => told.push(`error: ${String(error)}`),
  });
  return {
    ask: () => {
      asked$.next();
    },
    told,
    scheduler,
    settled: () => new Promise((resolve) => setImmediate(resolve)),
    subscription,
  };
}

describe('reloads', () => {
  it('puts one configuration in force after another, one for each signal', async () => {
    let number = 0;
    const { ask, told, settled, subscription } = watch({ load: () => Promise.resolve(loaded(String((number += 1)))) });
    ask();
    ask();
    await settled();
    assert.deepEqual(told, ['0 -> 1', '1 -> 2']);
    subscription.unsubscribe();
  });

  it('keeps the former configuration if the file is bad, or if it cannot be applied', async () => {
    const texts = ['bad', 'taken', 'good'];
    const { ask, told, settled, subscription } = watch({
      load: () => {
        const text = texts.shift() ?? '';
        return text === 'bad' ? Promise.reject(new Error('bad')) : Promise.resolve(loaded(text));
      },
      apply: ({ text }) => (text === 'taken' ? Promise.reject(new Error('taken')) : Promise.resolve()),
    });
    for (let asked = 0; asked < 3; asked += 1) ask();
    await settled();
    assert.deepEqual(told, ['refused: Error: bad', 'refused: Error: taken', '0 -> good']);
    subscription.unsubscribe();
  });

  it('reads the PEM files without a signal, but not while a former reading hangs', async () => {
    let looks = 0;
    let answer: (now: LoadedConfig | undefined) => void = () => undefined;
    const { scheduler, told, settled, subscription } = watch({
      reload: () => {
        looks += 1;
        return new Promise((resolve) => (answer = resolve));
      },
    });
    scheduler.maxFrames = 3 * EVERY_MS; // three readings are due
    scheduler.flush();
    assert.equal(looks, 1);
    answer(loaded('renewed'));
    await settled();
    assert.deepEqual(told, ['0 -> renewed']);
    assert.equal(looks, 1, 'readings that were due meanwhile are skipped');
    scheduler.maxFrames = 4 * EVERY_MS;
    scheduler.flush();
    assert.equal(looks, 2);
    answer(undefined);
    await settled();
    assert.deepEqual(told, ['0 -> renewed', 'unchanged']);
    subscription.unsubscribe();
  });
});
