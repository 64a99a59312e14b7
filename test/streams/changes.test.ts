import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NEVER, type Observable, type SchedulerLike, map, of } from 'rxjs';
import type { PolledRoute } from '../../src/streams/cache.js';
import { type Change, changes, describeChange, factsOf } from '../../src/streams/changes.js';
import { answer, runMarbles } from '../support/time/marbles.js';
import type { FailureSeries, Snapshot, CanonicalRoute } from '../../src/patroni/types.js';

const PRIMARY = '/primary' as CanonicalRoute;
const REPLICA = '/replica' as CanonicalRoute;

function failing(count: number): { failures: FailureSeries } {
  const last = { reason: 'timed-out', message: 'no complete answer within 2 s' } as const;
  return { failures: { count, sinceMs: 1000, last } };
}

const pending: Snapshot = { kind: 'pending', sinceMs: 0 };
const ok: Snapshot = { kind: 'fresh', answer: answer(200), sentAtMs: 0, freshUntilMs: 4000 };
const no: Snapshot = { kind: 'fresh', answer: answer(503), sentAtMs: 0, freshUntilMs: 4000 };
const stale: Snapshot = { kind: 'stale', answer: answer(200), sentAtMs: 0, sinceMs: 4000 };

function changesOf(scheduler: SchedulerLike, ...routes: PolledRoute[]): Observable<Change> {
  return changes({ route$: of(...routes), refused$: NEVER, maxLearned: 16 }, scheduler);
}

/** The log lines for these snapshots of one route, one a second. */
function lines(...snapshots: Snapshot[]): string[] {
  const found: string[] = [];
  runMarbles(({ cold, flush }, scheduler) => {
    const marbles = snapshots.map((_, index) => String.fromCharCode(97 + index)).join(' 999ms ');
    const values = Object.fromEntries(snapshots.map((value, index) => [String.fromCharCode(97 + index), value]));
    const snapshot$ = cold<Snapshot>(marbles, values);
    const subscription = changesOf(scheduler, { route: PRIMARY, learned: false, snapshot$ }).subscribe({
      next: (change) => found.push(describeChange(change)),
      error: assert.ifError,
    });
    flush();
    subscription.unsubscribe();
  });
  return found;
}

describe('changes', () => {
  it('tells the first answer', () => {
    assert.deepEqual(lines(pending, ok), ['/primary: pending -> 200']);
  });

  it('tells a changed status, and nothing of an answer that is renewed', () => {
    assert.deepEqual(lines(ok, { ...ok, sentAtMs: 1000 }, no, ok), ['/primary: 200 -> 503', '/primary: 503 -> 200']);
  });

  it('tells when the witness begins to answer, once, and why its answer is another one', () => {
    const by = (snapshot: Snapshot, why: string): Snapshot =>
      ({ ...snapshot, witness: { source: 'etcd3', why } }) as Snapshot;
    const yes = by({ ...ok, ...failing(1) }, 'the leader key names this node');
    const gone = by({ ...stale, ...failing(2) }, 'the leader key names this node');
    assert.deepEqual(lines(ok, yes, { ...yes }, gone, by({ ...no, ...failing(2) }, 'the leader key names node2'), no), [
      '/primary: polls are failing: poll timed out (no complete answer within 2 s)',
      '/primary: Patroni does not answer; by the witness, the reply is 200: the leader key names this node',
      '/primary: 200 -> 503 (stale: poll timed out for 2.0 s)',
      '/primary: still 503 (witness: the leader key names node2)',
      '/primary: polls are answered again: 2 failed in 4.0 s',
    ]);
  });

  it('tells when the witness has another reason for the same reply to a route of the leader', () => {
    const by = (why: string): Snapshot => ({ ...no, ...failing(2), witness: { source: 'etcd3', why } });
    const late = by('the leader key names this node, but its lease was not renewed in time');
    const nobody = by('no node holds the leader key');
    const told = lines(no, late, nobody, { ...nobody }, by('the leader key names node2'), no);
    assert.deepEqual(told.slice(2), [
      '/primary: still 503 (witness: no node holds the leader key)',
      '/primary: still 503 (witness: the leader key names node2)',
      '/primary: polls are answered again: 2 failed in 4.0 s',
    ]);
    const replica = { route: REPLICA, learned: false };
    runMarbles(({ cold, expectObservable }, scheduler) => {
      const change$ = changesOf(scheduler, { ...replica, snapshot$: cold<Snapshot>('ab', { a: late, b: nobody }) });
      expectObservable(change$, '^--!').toBe('---', undefined);
    });
  });

  it('tells the first failure of a series, the loss of the answer, and the end with count and duration', () => {
    const steps = [ok, { ...ok, ...failing(1) }, { ...ok, ...failing(2) }, { ...ok, ...failing(3) }];
    const gone = { ...stale, ...failing(3) };
    assert.deepEqual(lines(...steps, gone, { ...stale, ...failing(4) }, ok), [
      '/primary: polls are failing: poll timed out (no complete answer within 2 s)',
      '/primary: 200 -> 503 (stale: poll timed out for 3.0 s)',
      '/primary: polls are answered again: 4 failed in 5.0 s',
      '/primary: 503 -> 200',
    ]);
  });

  it('tells of an answer that ended without a failed poll: our own process stood still', () => {
    assert.deepEqual(lines(ok, stale), ['/primary: 200 -> 503 (stale: no answer for 1.0 s)']);
  });

  it('keeps routes apart', () => {
    runMarbles(({ cold, expectObservable }, scheduler) => {
      const change$ = changesOf(
        scheduler,
        { route: PRIMARY, learned: false, snapshot$: cold<Snapshot>('a-c', { a: ok, c: no }) },
        { route: REPLICA, learned: false, snapshot$: cold<Snapshot>('-b', { b: no }) },
      );
      const kinds$ = change$.pipe(map(({ route, kind }) => `${route} ${kind}`));
      expectObservable(kinds$).toBe('--c', { c: '/primary reply-changed' });
    });
  });

  it('tells of a learned route when it comes and when it goes', () => {
    runMarbles(({ cold, expectObservable }, scheduler) => {
      const snapshot$ = cold<Snapshot>('ab-|', { a: pending, b: ok });
      const line$ = changesOf(scheduler, { route: REPLICA, learned: true, snapshot$ }).pipe(map(describeChange));
      expectObservable(line$).toBe('lc-f', {
        l: '/replica: learned: a client asked for it, and patroniglue polls it from now on',
        c: '/replica: pending -> 200',
        f: '/replica: forgotten: no client has asked for it lately, or cache.learn leaves no place for it; patroniglue no longer polls it',
      });
    });
  });

  it('tells of a route that there is no room for', () => {
    runMarbles(({ cold, expectObservable }, scheduler) => {
      const refused$ = cold('-r', { r: REPLICA });
      const line$ = changes({ route$: NEVER, refused$, maxLearned: 16 }, scheduler).pipe(map(describeChange));
      const r = '/replica: not learned: patroniglue has learned 16 routes already, the most that cache.learn allows';
      expectObservable(line$).toBe('-r', { r });
    });
  });
});

describe('the facts of a change, for machines', () => {
  const lease = { lastSeenAtMs: -20_000, endsAtMs: 4000 };
  const base = { route: PRIMARY, atMs: 5000 };
  const replied = (from: Snapshot, to: Snapshot): object => factsOf({ ...base, kind: 'reply-changed', from, to });

  it('of a reply are what was told before and after, in words, and why', () => {
    const route = PRIMARY;
    assert.deepEqual(replied(pending, ok), { route, from: 'pending', to: '200', reason: 'answered' });
    assert.deepEqual(replied(ok, no), { route, from: '200', to: '503', reason: 'answered' });
    assert.deepEqual(replied(ok, { ...no, ...failing(1) }), { route, from: '200', to: '503', reason: 'answered' });
    assert.deepEqual(replied(ok, stale), { route, from: '200', to: 'stale', reason: 'no-answer' });
    assert.deepEqual(replied(ok, { ...stale, lease }), { route, from: '200', to: 'stale', reason: 'lease-guard' });
    const both = { ...stale, lease, ...failing(1) };
    assert.deepEqual(replied(stale, both), { route, from: 'stale', to: 'stale', reason: 'timed-out' });
    assert.deepEqual(replied(ok, pending), { route, from: '200', to: 'pending', reason: 'no-answer' });
  });

  it('of polls are why they fail, how many did, and for how long', () => {
    const { failures } = failing(3);
    assert.deepEqual(factsOf({ kind: 'polls-failing', route: PRIMARY, failures }), {
      route: PRIMARY,
      reason: 'timed-out',
    });
    assert.deepEqual(factsOf({ kind: 'polls-recovered', route: PRIMARY, failures, lastedMs: 1234.5678 }), {
      route: PRIMARY,
      failed: 3,
      lastedMs: 1235,
    });
  });

  it('of an answer of the witness are its status and its reason', () => {
    for (const kind of ['witness-answers', 'witness-reason'] as const) {
      const change = { kind, route: PRIMARY, status: 200, why: 'it leads' };
      assert.deepEqual(factsOf(change), { route: PRIMARY, status: '200', why: 'it leads' });
    }
    const to = { ...no, witness: { source: 'etcd3', why: 'x' } } as const;
    assert.deepEqual(factsOf({ kind: 'reply-changed', route: PRIMARY, from: ok, to, atMs: 0 }), {
      ...{ route: PRIMARY, from: '200', to: '503', reason: 'witness' },
    });
  });

  it('of a route are its name, and how many may be learned', () => {
    for (const kind of ['route-learned', 'route-forgotten'] as const) {
      assert.deepEqual(factsOf({ kind, route: REPLICA }), { route: REPLICA });
    }
    const refusal = { kind: 'route-refused', route: REPLICA, maxLearned: 16 } as const;
    assert.deepEqual(factsOf(refusal), { route: REPLICA, maxLearned: 16 });
  });
});
