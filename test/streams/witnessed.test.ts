import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NEVER, type Observable, concat, filter, map, of } from 'rxjs';
import type { TestScheduler } from 'rxjs/testing';
import { canonicalRoute } from '../../src/patroni/routes.js';
import type { PollOutcome, Snapshot } from '../../src/patroni/types.js';
import { snapshotsOf } from '../../src/streams/snapshots.js';
import { withWitness } from '../../src/streams/witnessed.js';
import type { Facts } from '../../src/witness/types.js';
import { answer, refused, runMarbles } from '../support/time/marbles.js';
import { factsOf } from '../support/witness/facts.js';

const [INTERVAL_MS, TTL_MS] = [4, 20];
const WALL_MS = Date.parse('2026-01-02T03:04:05Z');

const route = (target: string) => canonicalRoute(target) ?? assert.fail(target);

function answered(status: number, sentAtMs: number): PollOutcome {
  return { kind: 'answered', answer: answer(status), sentAtMs, endedAtMs: sentAtMs };
}

const failed = (sentAtMs: number): PollOutcome => ({
  kind: 'failed',
  failure: refused('no'),
  sentAtMs,
  endedAtMs: sentAtMs,
});

/** `200 until 10`, `witness: 200 until 10, 2 failed`, `stale, 3 failed`, `pending` */
function told(snapshot: Snapshot): string {
  const failures = snapshot.failures ? `, ${snapshot.failures.count} failed` : '';
  if (snapshot.kind !== 'fresh') return `${snapshot.kind}${failures}`;
  const by = snapshot.witness ? 'witness: ' : '';
  return `${by}${snapshot.answer.status} until ${snapshot.freshUntilMs}${failures}`;
}

/** What is told of `/primary`, polled with these outcomes, with a witness that reads these facts. */
function toldOf(
  outcome$: Observable<PollOutcome>,
  facts$: Observable<Facts>,
  scheduler: TestScheduler,
): Observable<string> {
  const options = {
    route: route('/primary'),
    facts$,
    wallMs: () => WALL_MS + scheduler.now(),
    intervalMs: INTERVAL_MS,
    ttlMs: TTL_MS,
    scheduler,
  };
  const polling = { upstream: 'a', event$: withWitness(outcome$, options), ttlMs: TTL_MS };
  return snapshotsOf(concat(of(polling), NEVER), scheduler).pipe(map(told));
}

describe('a route with a witness', () => {
  it('is answered by the witness while its poll is overdue or has failed, and by Patroni from its first answer on', () => {
    runMarbles(({ cold, expectObservable, expectSubscriptions }, scheduler) => {
      const outcome$ = cold<PollOutcome>('a-----------x---b----', {
        a: answered(200, 0),
        x: failed(4),
        b: answered(503, 15),
      });
      const facts$ = cold<Facts>('f---g', { f: factsOf({ askedAtMs: 8 }), g: factsOf({ askedAtMs: 11 }) });
      const told$ = toldOf(outcome$, facts$, scheduler);
      expectObservable(told$, '^-----------------!').toBe('(pa)----f---(xg)b', {
        p: 'pending',
        a: '200 until 20',
        f: 'witness: 200 until 28',
        x: 'witness: 200 until 28, 1 failed',
        g: 'witness: 200 until 31, 1 failed',
        b: '503 until 35',
      });
      expectSubscriptions(facts$.subscriptions).toBe('--------^-------!');
    });
  });

  it('is not answered by facts that are older than Patroni’s last answer', () => {
    runMarbles(({ cold, expectObservable }, scheduler) => {
      const outcome$ = cold<PollOutcome>('a----x----', { a: answered(503, 2), x: failed(3) });
      const facts$ = cold<Facts>('fg', { f: factsOf({ askedAtMs: 1 }), g: factsOf({ askedAtMs: 6 }) });
      const options = {
        route: route('/primary'),
        facts$,
        wallMs: () => WALL_MS + scheduler.now(),
        intervalMs: INTERVAL_MS,
        ttlMs: TTL_MS,
        scheduler,
      };
      const kind$ = withWitness(outcome$, options).pipe(map(({ kind }) => kind));
      expectObservable(kind$, '^--------!').toBe('a----xw', { a: 'answered', x: 'failed', w: 'witnessed' });
    });
  });

  it('is 503 at once when the witness says that the leader key names another node', () => {
    runMarbles(({ cold, expectObservable }, scheduler) => {
      const outcome$ = cold<PollOutcome>('a---x-----', { a: answered(200, 0), x: failed(1) });
      const facts$ = cold<Facts>('f', { f: factsOf({ askedAtMs: 4, leader: 'node2' }) });
      const told$ = toldOf(outcome$, facts$, scheduler);
      expectObservable(told$, '^--------!').toBe('(pa)(xw)', {
        p: 'pending',
        a: '200 until 20',
        x: '200 until 20, 1 failed',
        w: 'witness: 503 until 24, 1 failed',
      });
    });
  });

  it('says at 503 since when Patroni has not answered: since its last answer, or since the route is polled', () => {
    const facts = factsOf({ askedAtMs: 8, leader: 'node2' });
    for (const [outcomes, since] of [
      ['--a-x---', '2026-01-02T03:04:05.002Z'],
      ['x-------', '2026-01-02T03:04:05.000Z'],
    ] as const) {
      runMarbles(({ cold, expectObservable }, scheduler) => {
        const outcome$ = cold<PollOutcome>(outcomes, { a: answered(200, 1), x: failed(3) });
        const wallMs = (): number => WALL_MS + scheduler.now();
        const options = { route: route('/primary'), facts$: cold<Facts>('f', { f: facts }), wallMs };
        const since$ = withWitness(outcome$, { ...options, intervalMs: INTERVAL_MS, ttlMs: TTL_MS, scheduler }).pipe(
          filter((event) => event.kind === 'witnessed'),
          map(({ answer: { body } }) => (JSON.parse(String(body)) as { since: unknown }).since),
        );
        expectObservable(since$, '^------!').toBe(outcomes.replace('a', '-').replace('x', 's'), { s: since });
      });
    }
  });

  it('ends at the end of the last answer, if the witness says nothing', () => {
    runMarbles(({ cold, expectObservable }, scheduler) => {
      const outcome$ = cold<PollOutcome>('a-x----------------------', { a: answered(200, 0), x: failed(1) });
      const facts$ = cold<Facts>('f------', { f: factsOf({ askedAtMs: 2, config: undefined }) });
      const told$ = toldOf(outcome$, facts$, scheduler);
      expectObservable(told$.pipe(filter((text) => text.startsWith('stale'))), '^ 25ms !').toBe('20ms s', {
        s: 'stale, 1 failed',
      });
    });
  });

  it('never reads facts for the routes that only Patroni can answer', () => {
    runMarbles(({ cold, expectObservable, expectSubscriptions }, scheduler) => {
      const outcome$ = cold<PollOutcome>('x--x', { x: failed(1) });
      const facts$ = cold<Facts>('f');
      const event$ = withWitness(outcome$, {
        route: route('/liveness'),
        facts$,
        wallMs: () => WALL_MS,
        intervalMs: 1,
        ttlMs: TTL_MS,
        scheduler,
      });
      expectObservable(event$, '^----!').toBe('x--x', { x: failed(1) });
      expectSubscriptions(facts$.subscriptions).toBe([]);
    });
  });
});
