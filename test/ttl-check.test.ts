import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BehaviorSubject, NEVER, of } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { type Config, parseConfig } from '../src/config.js';
import type { PolledCache } from '../src/polled-cache.js';
import type { Answer } from '../src/snapshot.js';
import { createTtlCheck } from '../src/ttl-check.js';

const config = (ttl: number, port = 8008): Config => {
  const text = `{ backend: { port: ${port} }, cache: { ttl: ${ttl} } }`;
  return parseConfig({ text, file: 'config.yml', nowMs: 0, readFile: () => '' });
};

/** Patroni's defaults: 10 s are safe. */
const ANSWER: Answer = {
  status: 200,
  body: Buffer.from(JSON.stringify({ ttl: 30, loop_wait: 10, retry_timeout: 10 })),
};

describe('the check of cache.ttl', () => {
  /** What is wrong after each step: in the end it freezes, and each of `configs` comes into force. */
  const warnedOf = (...configs: readonly Config[]): readonly boolean[] => {
    const scheduler = new TestScheduler(() => undefined);
    const config$ = new BehaviorSubject(config(4));
    let frozen = false;
    const polled = {
      cache: { latest: () => undefined },
      request: () => (frozen ? NEVER : of(ANSWER)),
    } as unknown as PolledCache;
    const check = createTtlCheck(config$, polled, scheduler);
    let told: string | undefined;
    const subscription = check.warning$.subscribe({
      next: (warning) => (told = warning),
      error: (cause: unknown) => assert.fail(String(cause)),
    });
    scheduler.flush();
    frozen = true;
    const warned = configs.map((next) => {
      config$.next(next);
      assert.equal(check.warning(), told);
      return told !== undefined;
    });
    subscription.unsubscribe();
    return warned;
  };

  it('warns of a ttl that is raised while Patroni is frozen, by what it said before', () => {
    assert.deepEqual(warnedOf(config(20), config(5)), [true, false]);
  });

  it('says nothing of another Patroni that has not answered yet', () => {
    assert.deepEqual(warnedOf(config(20, 8010)), [false]);
  });
});
