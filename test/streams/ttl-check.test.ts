import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BehaviorSubject, NEVER, Subject, of } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { parseConfig } from '../../src/config/parse.js';
import type { Config } from '../../src/config/types.js';
import type { PolledAnswer, Polling } from '../../src/streams/polling.js';
import { canonicalRoute } from '../../src/patroni/routes.js';
import { type KnownTimings, createKnownTimings } from '../../src/streams/known-timings.js';
import { type TtlCheck, createTtlCheck } from '../../src/streams/ttl-check.js';
import type { Answer, Snapshot, CanonicalRoute } from '../../src/patroni/types.js';

const config = (ttl: number, port = 8008): Config => {
  const text = `{ backend: { port: ${port} }, cache: { ttl: ${ttl} } }`;
  return parseConfig({ text, file: 'config.yml', nowMs: 0, readFile: () => '' });
};

const saying = (body: unknown): Answer => ({ status: 200, body: Buffer.from(JSON.stringify(body)) });
const route = (path: string): CanonicalRoute => canonicalRoute(path) ?? assert.fail();

/** Patroni's defaults: 10 s are safe. */
const ANSWER = saying({ ttl: 30, loop_wait: 10, retry_timeout: 10 });

/** A check of a `cache.ttl` of 4 s, with its inputs. */
interface Bench {
  readonly check: TtlCheck;
  readonly timings: KnownTimings;
  readonly config$: BehaviorSubject<Config>;
  /** The last warning that it emitted. */
  readonly told: () => string | undefined;
  /** How often patroniglue asked for `/config`, polls not counted. */
  readonly asked: () => number;
  readonly frozen: (is: boolean) => void;
  readonly says: (answer: Answer) => void;
  /** A poll is answered, a minute after the last one. */
  readonly polled: (path: string, answer: Answer) => void;
}

function withCheck(body: (bench: Bench) => void, latest?: Snapshot): void {
  const scheduler = new TestScheduler(() => undefined);
  const config$ = new BehaviorSubject(config(4));
  const answered$ = new Subject<PolledAnswer>();
  let [answer, isFrozen, asked] = [ANSWER, false, 0];
  const polled = {
    cache: { latest: () => latest },
    answered$,
    request: () => {
      asked += 1;
      return isFrozen ? NEVER : of(answer);
    },
  } as unknown as Polling;
  const timings = createKnownTimings();
  const check = createTtlCheck(config$, timings, polled, scheduler);
  let told: string | undefined;
  const subscription = check.warning$.subscribe({
    next: (warning) => (told = warning),
    error: (cause: unknown) => assert.fail(String(cause)),
  });
  body({
    check,
    timings,
    config$,
    told: () => told,
    asked: () => asked,
    frozen: (is) => (isFrozen = is),
    says: (next) => (answer = next),
    polled(path, said) {
      scheduler.maxFrames += 60_000;
      scheduler.flush();
      answered$.next({ route: route(path), answer: said });
    },
  });
  subscription.unsubscribe();
}

const primary = (version: string): Answer => saying({ role: 'primary', patroni: { version, scope: 'main' } });

describe('the check of cache.ttl', () => {
  it('says nothing before the timings and the version are known', () => {
    withCheck(({ check, polled }) => {
      assert.equal(check.safeTtlMs(), undefined);
      polled('/primary', primary('3.0.2'));
      assert.equal(check.safeTtlMs(), 10_000);
    });
    withCheck(({ check, timings, frozen, config$, polled }) => {
      frozen(true);
      config$.next(config(4, 8010));
      polled('/primary', primary('3.0.2'));
      assert.equal(check.safeTtlMs(), undefined);
      assert.equal(timings.standbyCluster(), undefined);
    });
  });

  it('warns of a ttl that is raised while Patroni is frozen, by what it said before', () => {
    withCheck(({ check, config$, frozen, polled, told }) => {
      polled('/primary', primary('3.0.2'));
      frozen(true);
      config$.next(config(20));
      assert.match(told() ?? '', /= 10 s\)/);
      assert.equal(check.warning(), told());
      config$.next(config(5));
      assert.equal(told(), undefined);
    });
  });

  it('says nothing of another Patroni that has not answered yet', () => {
    withCheck(({ check, timings, config$, frozen, polled, told }) => {
      polled('/primary', primary('3.0.2'));
      frozen(true);
      config$.next(config(20, 8010));
      assert.equal(told(), undefined);
      assert.equal(check.safeTtlMs(), undefined);
      assert.equal(timings.timingsOf('3.0.2').ttlMs, 30_000, 'its defaults are assumed');
    });
  });

  it('is of the timings in force, also after an upgrade of Patroni', () => {
    withCheck(({ check, says, polled, told }) => {
      says(saying({ ttl: 30, loop_wait: 10, retry_timeout: 30 }));
      polled('/primary', primary('3.0.2'));
      polled('/primary', primary('3.0.2'));
      assert.match(told() ?? '', /\(30 - 10 - 30 = -10 s\)/);
      polled('/primary', primary('3.2.0'));
      assert.equal(told(), undefined);
      assert.equal(check.safeTtlMs(), 15_000);
    });
  });

  it('warns of a Patroni that answers for a minute and has not said its timings', () => {
    withCheck(({ check, config$, frozen, says, polled, told }) => {
      frozen(true);
      config$.next(config(4, 8010));
      polled('/primary', primary('3.0.2'));
      assert.equal(told(), undefined);
      says({ status: 502, body: Buffer.from('') });
      frozen(false);
      config$.next(config(4, 8011));
      polled('/primary', primary('3.0.2'));
      assert.equal(told(), undefined);
      polled('/primary', primary('3.0.2'));
      assert.match(told() ?? '', /assumes Patroni's defaults \(ttl 30, loop_wait 10, retry_timeout 10\)/);
      assert.equal(check.warning(), told());
      says(ANSWER);
      polled('/primary', primary('3.0.2'));
      assert.equal(told(), undefined);
    });
  });

  it('keeps what Patroni worked with before it refused what is written', () => {
    withCheck(({ check, says, polled }) => {
      polled('/primary', primary('4.1.4'));
      says(saying({ ttl: 'long' }));
      for (let minute = 0; minute < 3; minute += 1) polled('/primary', primary('4.1.4'));
      assert.equal(check.safeTtlMs(), 10_000);
      says(saying({ ttl: 60 }));
      polled('/primary', primary('4.1.4'));
      assert.equal(check.safeTtlMs(), 40_000);
    });
  });

  it('knows a standby cluster', () => {
    withCheck(({ timings, says, polled }) => {
      assert.equal(timings.standbyCluster(), false);
      says(saying({ standby_cluster: { host: 'elsewhere' } }));
      polled('/primary', primary('4.1.4'));
      assert.equal(timings.standbyCluster(), true);
    });
  });
});

describe("Patroni's /config", () => {
  it('is asked for while polls are answered, and not otherwise', () => {
    withCheck(({ asked, frozen, config$, polled }) => {
      assert.equal(asked(), 1);
      config$.next(config(5));
      assert.equal(asked(), 1, 'a reload is no reason to ask a Patroni that may be frozen');
      polled('/primary', primary('4.1.4'));
      assert.equal(asked(), 2);
      frozen(true);
      polled('/primary', primary('4.1.4'));
      assert.equal(asked(), 3);
    });
  });

  const kept = { kind: 'stale', answer: ANSWER, sentAtMs: 0, sinceMs: 1 } as const;
  for (const snapshot of [{ kind: 'pending', sinceMs: 0 }, kept] satisfies Snapshot[]) {
    it(`is not asked for besides its polls while what they brought is ${snapshot.kind}`, () => {
      withCheck(({ check, asked, polled }) => {
        for (let minute = 0; minute < 3; minute += 1) polled('/primary', primary('4.1.4'));
        assert.equal(asked(), 0);
        polled('/config', saying({ ttl: 60 }));
        assert.equal(check.safeTtlMs(), 40_000);
        polled('/config', { status: 502, body: Buffer.from('') });
        assert.equal(check.safeTtlMs(), 40_000);
      }, snapshot);
    });
  }
});
