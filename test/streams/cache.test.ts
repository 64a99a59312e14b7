import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NEVER, Subject } from 'rxjs';
import type { CanonicalRoute } from '../../src/routes.js';
import type { Snapshot } from '../../src/snapshot.js';
import { createCache } from '../../src/streams/cache.js';
import { answer, runMarbles } from '../support/marbles.js';

const PRIMARY = '/primary' as CanonicalRoute;
const REPLICA = '/replica' as CanonicalRoute;
const FRESH: Snapshot = { kind: 'fresh', answer: answer(200), sentAtMs: 0, freshUntilMs: 4000 };

describe('createCache', () => {
  it('has every route pending before anything is polled, and no others', () => {
    const cache = createCache([PRIMARY], () => NEVER, 7);
    assert.deepEqual(cache.latest(PRIMARY), { kind: 'pending', sinceMs: 7 });
    assert.equal(cache.latest(REPLICA), undefined);
    assert.deepEqual(cache.routes, [PRIMARY]);
  });

  it('polls a canonical route once, however often it is named', () => {
    const asked: CanonicalRoute[] = [];
    const snapshots = (route: CanonicalRoute): typeof NEVER => {
      asked.push(route);
      return NEVER;
    };
    const cache = createCache([PRIMARY, REPLICA, PRIMARY], snapshots, 0);
    assert.deepEqual(asked, [PRIMARY, REPLICA]);
    assert.deepEqual(cache.routes, [PRIMARY, REPLICA]);
  });

  it('gives the latest snapshot of each route, at once, while its updates are subscribed', () => {
    const sources = new Map([PRIMARY, REPLICA].map((route) => [route, new Subject<Snapshot>()]));
    const cache = createCache([...sources.keys()], (route) => sources.get(route) ?? NEVER, 0);
    const seen: string[] = [];
    const subscription = cache.update$.subscribe({
      next: ({ route, snapshot }) => seen.push(`${route} ${snapshot.kind}`),
      error: assert.ifError,
    });
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

  it('unsubscribes every route with its updates', () => {
    runMarbles(({ cold, expectObservable, expectSubscriptions }) => {
      const snapshot$ = cold<Snapshot>('a', { a: FRESH });
      const { update$ } = createCache([PRIMARY, REPLICA], () => snapshot$, 0);
      expectObservable(update$, '1s !').toBe('(pr)', {
        p: { route: PRIMARY, snapshot: FRESH },
        r: { route: REPLICA, snapshot: FRESH },
      });
      expectSubscriptions(snapshot$.subscriptions).toBe(['^ 999ms !', '^ 999ms !']);
    });
  });
});
