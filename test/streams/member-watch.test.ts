import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BehaviorSubject, Subject } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { parseConfig } from '../../src/config/parse.js';
import type { Config } from '../../src/config/types.js';
import { createMemberWatch, memberWarning } from '../../src/streams/member-watch.js';
import type { PolledAnswer } from '../../src/streams/polling.js';
import { canonicalRoute } from '../../src/patroni/routes.js';
import type { Answer, CanonicalRoute } from '../../src/patroni/types.js';

const config = (port: number): Config =>
  parseConfig({ text: `{ backend: { port: ${port} } }`, file: 'config.yml', nowMs: 0, readFile: () => '' });
const route: CanonicalRoute = canonicalRoute('/primary') ?? assert.fail();

const saying = (body: unknown): Answer => ({ status: 200, body: Buffer.from(JSON.stringify(body)) });
const named = (name: string): Answer => saying({ patroni: { version: '4.1.4', scope: 'main', name } });
const started = (at: string): Answer =>
  saying({ database_system_identifier: '7', postmaster_start_time: at, patroni: { version: '3.0.2', scope: 'main' } });

/** The warnings about answers that come one second apart. */
function toldOf(answers: readonly Answer[]): {
  readonly told: readonly string[];
  readonly standing: string | undefined;
} {
  const scheduler = new TestScheduler(() => undefined);
  const answered$ = new Subject<PolledAnswer>();
  const watch = createMemberWatch(new BehaviorSubject(config(8008)), answered$, scheduler);
  const told: string[] = [];
  const watching = watch.warning$.subscribe({ next: (warning) => told.push(warning), error: assert.ifError });
  for (const answer of answers) {
    scheduler.frame += 1000;
    answered$.next({ route, answer });
  }
  watching.unsubscribe();
  return { told, standing: watch.warning() };
}

describe('the members that answer', () => {
  it('are told where they have different names, at each change', () => {
    const { told, standing } = toldOf([named('node1'), named('node1'), named('node2'), named('node1')]);
    assert.equal(told.length, 2);
    assert.match(told[0] ?? '', /^backend\.host: Patroni answers as different members \(main\/node1; main\/node2\): /);
    assert.equal(standing, told[1]);
  });

  it('are one where the name stays, whatever starts again', () => {
    assert.deepEqual(toldOf([named('node1'), started('a'), named('node1'), named('node1')]).told, []);
  });

  it('are one, without a name, where PostgreSQL was started again', () => {
    assert.deepEqual(toldOf([started('a'), started('a'), saying({ state: 'stopped' }), started('b')]).told, []);
  });

  it('are told, without a name, where an earlier start is back', () => {
    assert.equal(toldOf([started('a'), started('b'), started('a')]).told.length, 1);
  });

  it('are not looked for in what is no answer of Patroni, or too long', () => {
    const long = saying({ patroni: { name: 'node2' }, filler: 'x'.repeat(70_000) });
    const odd = [
      long,
      saying([]),
      saying('x'),
      saying({ patroni: { name: 7 } }),
      { status: 200, body: Buffer.from('{') },
    ];
    assert.deepEqual(toldOf([named('node1'), ...odd]).told, []);
  });

  it('are forgotten with another upstream, and the warning after ten minutes', () => {
    const scheduler = new TestScheduler(() => undefined);
    const answered$ = new Subject<PolledAnswer>();
    const config$ = new BehaviorSubject(config(8008));
    const watch = createMemberWatch(config$, answered$, scheduler);
    const watching = watch.warning$.subscribe({ error: assert.ifError });
    for (const name of ['node1', 'node2']) answered$.next({ route, answer: named(name) });
    assert.ok(watch.warning());
    config$.next(config(8009));
    assert.equal(watch.warning(), undefined);
    answered$.next({ route, answer: named('node3') });
    assert.equal(watch.warning(), undefined, 'it is the only one of this upstream');
    answered$.next({ route, answer: named('node4') });
    scheduler.frame += 10 * 60_000;
    assert.equal(watch.warning(), undefined);
    watching.unsubscribe();
  });

  it('are compared by --check --live, too', () => {
    assert.equal(memberWarning([named('node1'), named('node1')]), undefined);
    assert.match(memberWarning([named('node1'), named('node2')]) ?? '', /different members/);
  });
});
