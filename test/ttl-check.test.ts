import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BehaviorSubject, NEVER, defer, of } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { type Config, parseConfig } from '../src/config.js';
import type { PolledCache } from '../src/polled-cache.js';
import type { Answer, Snapshot } from '../src/snapshot.js';
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

  it('asks Patroni unless a poll of /config has a fresh answer, and then goes by that', () => {
    const asked = (
      polled: Snapshot | undefined,
    ): { readonly questions: number; readonly safeMs: number | undefined } => {
      const scheduler = new TestScheduler(() => undefined);
      let questions = 0;
      const polledCache = {
        cache: { latest: (route: string) => (route === '/config' ? polled : assert.fail(route)) },
        request: () =>
          defer(() => {
            questions += 1;
            return of(ANSWER);
          }),
      } as unknown as PolledCache;
      const check = createTtlCheck(new BehaviorSubject(config(4)), polledCache, scheduler);
      const subscription = check.warning$.subscribe({ error: (cause: unknown) => assert.fail(String(cause)) });
      scheduler.maxFrames = 0; // the first question alone
      scheduler.flush();
      subscription.unsubscribe();
      return { questions, safeMs: check.safeTtlMs() };
    };
    const known: Answer = { status: 200, body: Buffer.from('{"ttl": 60}') };
    const fresh: Snapshot = { kind: 'fresh', answer: known, sentAtMs: 0, freshUntilMs: 1 };
    assert.deepEqual(asked(fresh), { questions: 0, safeMs: 40_000 });
    assert.deepEqual(asked({ ...fresh, freshUntilMs: 0 }), { questions: 1, safeMs: 10_000 });
    assert.deepEqual(asked({ kind: 'stale', answer: known, sentAtMs: 0, sinceMs: 0 }), {
      questions: 1,
      safeMs: 10_000,
    });
    assert.deepEqual(asked({ kind: 'pending', sinceMs: 0 }), { questions: 1, safeMs: 10_000 });
    assert.deepEqual(asked(undefined), { questions: 1, safeMs: 10_000 });
  });

  it('says nothing of another Patroni that has not answered yet', () => {
    assert.deepEqual(warnedOf(config(20, 8010)), [false]);
  });
});
