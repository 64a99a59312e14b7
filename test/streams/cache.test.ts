import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  NEVER,
  type Observable,
  type SchedulerLike,
  Subject,
  type Subscription,
  concat,
  ignoreElements,
  map,
  merge,
  mergeMap,
  take,
  tap,
  timer,
  of,
} from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { type Cache, type CacheOptions, createCache } from '../../src/streams/cache.js';
import { answer, runMarbles } from '../support/time/marbles.js';
import type { Snapshot, CanonicalRoute } from '../../src/patroni/types.js';

const [PRIMARY, REPLICA, HEALTH, SYNC] = ['/primary', '/replica', '/health', '/sync'] as CanonicalRoute[] as [
  CanonicalRoute,
  CanonicalRoute,
  CanonicalRoute,
  CanonicalRoute,
];
const FRESH: Snapshot = { kind: 'fresh', answer: answer(200), sentAtMs: 0, freshUntilMs: 4000 };
const FIFTEEN_MINUTES_MS = 15 * 60_000;

function cacheOf(prefetched: CanonicalRoute[], scheduler: SchedulerLike, options: Partial<CacheOptions> = {}): Cache {
  const defaults = { snapshots: () => NEVER, maxLearned: 2, forgetAfterMs: FIFTEEN_MINUTES_MS };
  return createCache(prefetched, { ...defaults, scheduler, ...options });
}

/** Every snapshot of every route, and the end of each. */
function updates({ route$ }: Cache): Observable<string> {
  return route$.pipe(
    mergeMap(({ route, snapshot$ }) =>
      concat(snapshot$.pipe(mergeMap(({ kind }) => of(`${route} ${kind}`))), of(`${route} ends`)),
    ),
  );
}

/** The same, with `action` at each of these moments. */
function updatesDuring<T>(cache: Cache, moment$: Observable<T>, action: (value: T) => void): Observable<string> {
  return merge(updates(cache), moment$.pipe(tap(action), ignoreElements()));
}

describe('createCache', () => {
  it('has every prefetched route pending before anything is polled, and no others', () => {
    runMarbles((_, scheduler) => {
      const cache = cacheOf([PRIMARY], scheduler);
      assert.deepEqual(cache.latest(PRIMARY), { kind: 'pending', sinceMs: 0 });
      assert.equal(cache.latest(REPLICA), undefined);
      assert.deepEqual(cache.prefetched, [PRIMARY]);
    });
  });

  it('polls a canonical route once, however often it is named', () => {
    runMarbles((_, scheduler) => {
      const asked: CanonicalRoute[] = [];
      const snapshots = (route: CanonicalRoute): typeof NEVER => {
        asked.push(route);
        return NEVER;
      };
      const cache = cacheOf([PRIMARY, REPLICA, PRIMARY], scheduler, { snapshots });
      assert.deepEqual(asked, [PRIMARY, REPLICA]);
      assert.deepEqual(cache.prefetched, [PRIMARY, REPLICA]);
    });
  });

  it('gives the latest snapshot of each route, at once, while it is subscribed', () => {
    runMarbles((_, scheduler) => {
      const sources = new Map([PRIMARY, REPLICA].map((route) => [route, new Subject<Snapshot>()]));
      const snapshots = (route: CanonicalRoute): Observable<Snapshot> => sources.get(route) ?? NEVER;
      const cache = cacheOf([...sources.keys()], scheduler, { snapshots });
      const seen: string[] = [];
      const subscription = updates(cache).subscribe({ next: (update) => seen.push(update), error: assert.ifError });
      sources.get(REPLICA)?.next(FRESH);
      assert.equal(cache.latest(REPLICA), FRESH);
      assert.equal(cache.latest(PRIMARY)?.kind, 'pending');
      assert.deepEqual(seen, ['/replica fresh']);
      subscription.unsubscribe();
      assert.deepEqual(
        [...sources.values()].map(({ observed }) => observed),
        [false, false],
      );
    });
  });
});

describe('a learned route', () => {
  it('is pending for its first asker, and polled from then on, once', () => {
    runMarbles(({ cold, expectObservable, expectSubscriptions, flush }, scheduler) => {
      const snapshot$ = cold<Snapshot>('-f', { f: FRESH });
      const cache = cacheOf([], scheduler, { snapshots: () => snapshot$ });
      const given: unknown[] = [];
      const update$ = updatesDuring(cache, cold('--h-h'), () => given.push(cache.ask(HEALTH)));
      expectObservable(update$, '^ 1s !').toBe('---f', { f: '/health fresh' });
      expectSubscriptions(snapshot$.subscriptions).toBe('--^ 998ms !');
      flush();
      assert.deepEqual(given, [{ kind: 'pending', sinceMs: 2 }, FRESH]);
    });
  });

  it('is pending, and no more, for an asker who comes before the polls begin', () => {
    runMarbles((_, scheduler) => {
      const cache = cacheOf([PRIMARY], scheduler);
      assert.equal(cache.ask(HEALTH)?.kind, 'pending');
      assert.equal(cache.latest(HEALTH), undefined);
    });
  });

  it('is forgotten when nobody has asked for it for fifteen minutes, and can be learned again', () => {
    runMarbles(({ cold, expectObservable, expectSubscriptions }, scheduler) => {
      const snapshot$ = cold<Snapshot>('-f', { f: FRESH });
      const cache = cacheOf([], scheduler, { snapshots: () => snapshot$ });
      const ask$ = cold('               h 599999ms h                1800s h');
      const subscriptions = [
        '                               ^ 1499999ms                 !',
        '                               2400001ms                   ^ 99999ms !',
      ];
      const expected = '                -f 1499998ms e              900001ms f';
      const update$ = updatesDuring(cache, ask$, () => cache.ask(HEALTH));
      expectObservable(update$, '^ 2500s !').toBe(expected, { f: '/health fresh', e: '/health ends' });
      expectSubscriptions(snapshot$.subscriptions).toBe(subscriptions);
    });
  });

  it('is kept by everybody who asks, and by nobody who only looks', () => {
    runMarbles(({ expectObservable }, scheduler) => {
      const cache = cacheOf([], scheduler);
      const minute$ = timer(1, 60_000, scheduler).pipe(take(60));
      const update$ = updatesDuring(cache, minute$, (minute) => {
        cache.ask(HEALTH);
        if (minute === 0) cache.ask(SYNC);
        else cache.latest(SYNC);
      });
      expectObservable(update$, '^ 3600s !').toBe('900001ms e', { e: '/sync ends' });
    });
  });

  it('is not learned over the limit: there is no snapshot, and it is told once until a place is free', () => {
    runMarbles(({ cold, expectObservable, flush }, scheduler) => {
      const cache = cacheOf([PRIMARY], scheduler, { maxLearned: 1 });
      const told: unknown[] = [];
      const ask$ = cold<CanonicalRoute>('prhsh 900s srh', { p: PRIMARY, r: REPLICA, h: HEALTH, s: SYNC });
      const update$ = updatesDuring(cache, ask$, (route) => told.push([route, cache.ask(route)?.kind]));
      expectObservable(update$, '^ 1000s !').toBe('900001ms e', { e: '/replica ends' });
      expectObservable(cache.refused$, '^ 1000s !').toBe('--h 900003ms r', { h: HEALTH, r: REPLICA });
      flush();
      assert.deepEqual(told, [
        [PRIMARY, 'pending'],
        [REPLICA, 'pending'],
        [HEALTH, undefined],
        [SYNC, undefined],
        [HEALTH, undefined],
        [SYNC, 'pending'],
        [REPLICA, undefined],
        [HEALTH, undefined],
      ]);
    });
  });

  it('leaves nothing behind: thousands come and go, and nothing stays scheduled or known', () => {
    const virtual = new TestScheduler(assert.deepEqual);
    const scheduled = new Set<Subscription>();
    const scheduler: SchedulerLike = {
      now: () => virtual.now(),
      schedule: (...args: unknown[]) => {
        const action = Reflect.apply(virtual.schedule.bind(virtual), undefined, args) as Subscription;
        scheduled.add(action);
        action.add(() => scheduled.delete(action));
        return action;
      },
    };
    virtual.run(({ flush }) => {
      const PLACES = 200;
      let polls = 0;
      const snapshots = (): Observable<Snapshot> =>
        timer(0, 60_000, scheduler).pipe(
          tap(() => {
            polls += 1;
          }),
          map(() => FRESH),
        );
      const cache = cacheOf([PRIMARY], scheduler, { snapshots, maxLearned: PLACES });
      const routes = Array.from({ length: 10 * PLACES }, (_, lag) => `/replica?lag=${lag}` as CanonicalRoute);
      const quarter$ = timer(1, FIFTEEN_MINUTES_MS + 1, virtual).pipe(take(12));
      const update$ = updatesDuring(cache, quarter$, (quarter) => {
        for (const route of routes.slice(quarter * PLACES, (quarter + 1) * PLACES)) {
          assert.equal(cache.ask(route)?.kind, 'pending', route);
        }
        if (quarter < 11) return;
        assert.ok(polls > 14 * routes.length, String(polls));
        assert.deepEqual(
          routes.filter((route) => cache.latest(route) !== undefined),
          [],
        );
        assert.equal(cache.latest(PRIMARY), FRESH);
        assert.equal(scheduled.size, 1, 'the prefetched route alone is polled');
      });
      const subscription = update$.subscribe({ error: assert.ifError });
      const end$ = timer(12 * FIFTEEN_MINUTES_MS, virtual);
      const ending = end$.subscribe({
        next: () => {
          subscription.unsubscribe();
        },
        error: assert.ifError,
      });
      flush();
      assert.deepEqual([subscription.closed, ending.closed, scheduled.size], [true, true, 0]);
    });
  });
});

describe('unsubscription', () => {
  it('ends the polls of every route', () => {
    runMarbles(({ cold, expectObservable, expectSubscriptions }, scheduler) => {
      const snapshot$ = cold<Snapshot>('f', { f: FRESH });
      const cache = cacheOf([PRIMARY, REPLICA], scheduler, { snapshots: () => snapshot$ });
      const update$ = updatesDuring(cache, cold('-----h'), () => cache.ask(HEALTH));
      expectObservable(update$, '^ 999ms !').toBe('(pr)-h', {
        p: '/primary fresh',
        r: '/replica fresh',
        h: '/health fresh',
      });
      expectSubscriptions(snapshot$.subscriptions).toBe(['^ 999ms !', '^ 999ms !', '-----^ 994ms !']);
    });
  });
});

describe('another plan', () => {
  const fresh = (): Observable<Snapshot> => concat(of(FRESH), NEVER);

  it('polls what is new in it, and does not touch what stays', () => {
    runMarbles(({ hot, expectObservable }, scheduler) => {
      const cache = cacheOf([PRIMARY], scheduler, { snapshots: fresh });
      const change$ = hot('--c');
      const update$ = updatesDuring(cache, change$, () => {
        cache.change({ prefetched: [PRIMARY, REPLICA], maxLearned: 2 });
        assert.deepEqual(cache.prefetched, [PRIMARY, REPLICA]);
        assert.deepEqual(cache.routes(), [PRIMARY, REPLICA]);
      });
      expectObservable(update$, '^-----!').toBe('p-r', { p: '/primary fresh', r: '/replica fresh' });
    });
  });

  it('keeps what is no longer in it as a learned route, for as long as somebody asks', () => {
    runMarbles(({ hot, expectObservable }, scheduler) => {
      const cache = cacheOf([PRIMARY, REPLICA], scheduler, { snapshots: fresh, forgetAfterMs: 4 });
      const action$ = hot('--c-a', { a: 'ask', c: 'change' });
      const update$ = updatesDuring(cache, action$, (action) => {
        if (action === 'change') cache.change({ prefetched: [PRIMARY], maxLearned: 1 });
        assert.deepEqual(cache.ask(REPLICA), FRESH);
      });
      const values = { p: '/primary fresh', r: '/replica fresh', e: '/replica ends' };
      expectObservable(update$, '^-----------!').toBe('(pr)----e', values);
    });
  });

  it('ends what it has no room for: what was learned last goes first', () => {
    runMarbles(({ hot, expectObservable }, scheduler) => {
      const cache = cacheOf([PRIMARY], scheduler, { snapshots: fresh });
      const action$ = hot('-h-s-c', { h: HEALTH, s: SYNC, c: undefined });
      const update$ = updatesDuring(cache, action$, (route) => {
        if (route) cache.ask(route);
        else cache.change({ prefetched: [PRIMARY], maxLearned: 1 });
      });
      const values = { p: '/primary fresh', h: '/health fresh', s: '/sync fresh', e: '/sync ends' };
      expectObservable(update$, '^--------!').toBe('ph-s-e', values);
    });
  });

  it('makes a learned route a prefetched one, which is not forgotten', () => {
    runMarbles(({ hot, expectObservable }, scheduler) => {
      const cache = cacheOf([PRIMARY], scheduler, { snapshots: fresh, forgetAfterMs: 4 });
      const action$ = hot('-h-c', { h: HEALTH, c: undefined });
      const update$ = updatesDuring(cache, action$, (route) => {
        if (route) cache.ask(route);
        else cache.change({ prefetched: [PRIMARY, HEALTH], maxLearned: 0 });
      });
      expectObservable(update$, '^------------!').toBe('ph', { p: '/primary fresh', h: '/health fresh' });
    });
  });

  it('says what it is: its routes, and how many may be learned; routes that are planned are not told as learned', () => {
    runMarbles((_, scheduler) => {
      const cache = cacheOf([PRIMARY], scheduler);
      const told: (readonly [string, boolean])[] = [];
      const subscription = cache.route$.subscribe({
        next: ({ route, learned }) => told.push([route, learned]),
        error: assert.ifError,
      });
      assert.deepEqual([cache.prefetched, cache.maxLearned], [[PRIMARY], 2]);
      cache.ask(HEALTH);
      cache.change({ prefetched: [PRIMARY, REPLICA, REPLICA], maxLearned: 5 });
      assert.deepEqual([cache.prefetched, cache.maxLearned], [[PRIMARY, REPLICA], 5]);
      assert.deepEqual(told, [
        [PRIMARY, false],
        [HEALTH, true],
        [REPLICA, false],
      ]);
      subscription.unsubscribe();
    });
  });
});
