import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { BehaviorSubject, Subject } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { parseConfig } from '../../src/config/parse.js';
import type { Config } from '../../src/config/types.js';
import { canonicalRoute } from '../../src/patroni/routes.js';
import type { PolledAnswer } from '../../src/streams/polling.js';
import { createRecognitionWatch } from '../../src/streams/recognition-watch.js';

const config = (text: string): Config => parseConfig({ text, file: 'config.yml', nowMs: 0, readFile: () => '' });

const polled = (route: string, status: number, body = ''): PolledAnswer => ({
  route: canonicalRoute(route) ?? assert.fail(route),
  answer: { status, body: Buffer.from(body) },
});
const ours = (route: string): PolledAnswer => polled(route, 503, '{"patroni": {"scope": "main"}}');

/** A watch, and what it has told. */
function watched(): {
  readonly told: readonly string[];
  readonly warning: () => string | undefined;
  readonly config$: BehaviorSubject<Config>;
  /** Answers of the same second; the next ones come a second later. */
  readonly second: (...answers: readonly PolledAnswer[]) => void;
} {
  const scheduler = new TestScheduler(() => undefined);
  const answered$ = new Subject<PolledAnswer>();
  const config$ = new BehaviorSubject(config('{ backend: { port: 2379 } }'));
  const watch = createRecognitionWatch(config$, answered$, scheduler);
  const told: string[] = [];
  const watching = watch.warning$.subscribe({ next: (warning) => told.push(warning), error: assert.ifError });
  after(() => {
    watching.unsubscribe();
  });
  return {
    told,
    warning: () => watch.warning(),
    config$,
    second(...answers) {
      scheduler.frame += 1000;
      for (const answer of answers) answered$.next(answer);
    },
  };
}

describe('a backend that is not Patroni', () => {
  it('is told once, at the second answer of a route, and stands until Patroni answers', () => {
    const { told, warning, second } = watched();
    second(polled('/primary', 404), polled('/replica', 404));
    assert.deepEqual([told, warning()], [[], undefined]);
    for (let count = 0; count < 100; count += 1) second(polled('/primary', 404), polled('/replica', 404));
    assert.equal(told.length, 1);
    assert.match(
      told[0] ?? '',
      /^backend\.host: http:\/\/localhost:2379 does not answer as Patroni \(404 to \/primary\), and checks get this: Write /,
    );
    assert.equal(warning(), told[0]);
    second(ours('/primary'));
    assert.equal(warning(), undefined);
  });

  it('is none if a proxy replaces the 503s of some routes, and Patroni answers others', () => {
    const { told, second } = watched();
    for (let count = 0; count < 200; count += 1) second(polled('/primary', 503, '<html>'), ours('/replica'));
    assert.deepEqual(told, []);
  });

  it('is told once more, a minute after the last answer of Patroni', () => {
    const { told, second } = watched();
    second(ours('/primary'));
    for (let count = 0; count < 59; count += 1) second(polled('/primary', 502));
    assert.equal(told.length, 0);
    for (let count = 0; count < 100; count += 1) second(polled('/primary', 502));
    assert.equal(told.length, 1);
  });

  it('is looked for anew if a reload names another backend, and only then', () => {
    const { told, warning, config$, second } = watched();
    for (let count = 0; count < 3; count += 1) second(polled('/primary', 404));
    config$.next(config('{ backend: { port: 2379 }, cache: { ttl: 5 } }'));
    for (let count = 0; count < 3; count += 1) second(polled('/primary', 404));
    assert.equal(told.length, 1);
    config$.next(config('{ backend: { port: 8008 } }'));
    assert.equal(warning(), undefined);
    for (let count = 0; count < 3; count += 1) second(polled('/primary', 404));
    assert.equal(told.length, 2);
  });

  it('cannot be told from /liveness, whatever its status is', () => {
    const { told, second } = watched();
    for (let count = 0; count < 5; count += 1) second(polled('/liveness', 200), polled('/config', 502));
    assert.deepEqual(told, []);
  });
});
