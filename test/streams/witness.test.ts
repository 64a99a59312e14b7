import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  BehaviorSubject,
  type Observable,
  Subject,
  type Subscription,
  VirtualTimeScheduler,
  defer,
  finalize,
  map,
  of,
  timer,
} from 'rxjs';
import { parseConfig } from '../../src/config/parse.js';
import type { Config } from '../../src/config/types.js';
import { canonicalRoute } from '../../src/patroni/routes.js';
import type { FailureReason } from '../../src/patroni/types.js';
import type { PolledAnswer } from '../../src/streams/polling.js';
import { createWitness } from '../../src/streams/witness.js';
import type { WitnessUpstream } from '../../src/streams/witness-read.js';
import { ReasonedError } from '../../src/upstream/failure.js';
import type { Facts, NodeKeys, PostgresState, WitnessState } from '../../src/witness/types.js';
import { factsOf } from '../support/witness/facts.js';

const WITNESS = { etcd3: { hosts: ['127.0.0.1:2379'] }, key: '/service/main' };

function configOf(sections: Readonly<Record<string, object>>): Config {
  return parseConfig({ text: JSON.stringify(sections), file: 'config.yml', nowMs: 0, readFile: () => '' });
}

/** Patroni's answer to `/primary`, as 4.1.4 makes it. */
function says({ name = 'node1', status = 200 }: { name?: string | undefined; status?: number } = {}): PolledAnswer {
  const body = JSON.stringify({
    state: 'running',
    role: status === 200 ? 'primary' : 'replica',
    database_system_identifier: '7000000000000000001',
    patroni: { version: '4.1.4', scope: 'main', ...(name !== '' && { name }) },
  });
  const route = canonicalRoute('/primary') ?? assert.fail();
  return { route, answer: { status, body: Buffer.from(body) } };
}

function watch<T>(value$: Observable<T>, next: (value: T) => void): Subscription {
  return value$.subscribe({
    next,
    error: (cause: unknown) => assert.fail(String(cause)),
  });
}

/** A witness in virtual time whose etcd and PostgreSQL say what the test wants. */
function scene(config: Config) {
  const scheduler = new VirtualTimeScheduler();
  const config$ = new BehaviorSubject(config);
  const answered$ = new Subject<PolledAnswer>();
  const asked: { readonly name: string; readonly atMs: number }[] = [];
  const states: (WitnessState | undefined)[] = [];
  const facts: Facts[] = [];
  let underWay = 0;
  let mostUnderWay = 0;
  const said = { keys: factsOf().keys as NodeKeys | Error, postgres: 'accepts' as PostgresState, takesMs: 1 };
  const createUpstream = (settings: WitnessUpstream['settings']): WitnessUpstream => ({
    settings,
    keys: (name): Observable<NodeKeys> =>
      defer(() => {
        asked.push({ name, atMs: scheduler.now() });
        underWay += 1;
        mostUnderWay = Math.max(mostUnderWay, underWay);
        return timer(said.takesMs, scheduler);
      }).pipe(
        map(() => {
          if (said.keys instanceof Error) throw said.keys;
          return said.keys;
        }),
        finalize(() => {
          underWay -= 1;
        }),
      ),
    postgres$: defer(() => of(said.postgres)),
  });
  const witness = createWitness(config$, {
    answered$,
    scheduler,
    thisHost: () => ({ hostname: 'node1', addresses: [] }),
    createUpstream,
  });
  const background = watch(witness.state$, (state) => states.push(state));
  return {
    ...{ background, config$, asked, states, facts, said, answered$ },
    most: () => mostUnderWay,
    kinds: () => states.map((state) => state?.kind),
    /** Lets time go by; from `everyMs` on Patroni answers. */
    run: (forMs: number, answer?: PolledAnswer): void => {
      const untilMs = scheduler.now() + forMs;
      if (answer)
        for (let atMs = 0; atMs < forMs; atMs += 1000)
          scheduler.schedule(() => {
            answered$.next(answer);
          }, atMs);
      scheduler.maxFrames = untilMs;
      scheduler.schedule(() => undefined, forMs);
      scheduler.flush();
    },
    /** A route of which Patroni's answer is overdue. */
    ask: (): Subscription => watch(witness.facts$, (read) => facts.push(read)),
  };
}

describe('the witness', () => {
  it('is compared with Patroni at its first answer and every 30 s, and is asked no more than that', () => {
    const { run, asked, kinds, facts } = scene(configOf({ witness: WITNESS }));
    run(5000);
    assert.deepEqual(asked, [], 'Patroni has not answered yet');
    run(100_000, says());
    assert.deepEqual(kinds(), ['not-compared', 'agrees']);
    assert.deepEqual(new Set(asked.map(({ name }) => name)), new Set(['node1']));
    assert.ok(asked.length >= 3 && asked.length <= 4, `${asked.length} reads in 100 s`);
    assert.deepEqual(facts, []);
  });

  it('is read once in an interval for all routes that are overdue, from the first one on', () => {
    const { run, asked, ask, facts, most } = scene(configOf({ witness: WITNESS }));
    run(2000, says());
    const before = asked.length;
    const routes = [ask(), ask(), ask()];
    run(10_000);
    assert.equal(asked.length - before, 11);
    assert.equal(facts.length, 3 * 10, 'the last read is under way');
    assert.equal(most(), 1);
    for (const route of routes) route.unsubscribe();
    const after = asked.length;
    run(20_000);
    assert.equal(asked.length, after, 'nobody needs it');
  });

  it('gets no queue of reads when etcd is slow, and never two at a time', () => {
    const { run, said, ask, facts, most } = scene(configOf({ witness: WITNESS }));
    run(2000, says());
    said.takesMs = 1500;
    ask();
    run(30_000, says());
    assert.equal(most(), 1);
    assert.ok(facts.length >= 13, `${facts.length} reads`);
    said.takesMs = 3000; // over backend.timeout
    run(5000);
    const before = facts.length;
    run(10_000);
    assert.equal(facts.length, before);
  });

  it('is not used, and warned of, as long as it contradicts Patroni', () => {
    const { run, said, states, kinds, ask, facts, asked } = scene(configOf({ witness: { ...WITNESS, name: 'node2' } }));
    ask();
    run(3000, says());
    assert.deepEqual(kinds(), ['not-compared', 'contradicts']);
    assert.match(
      (states[1] as { message: string }).message,
      /^witness\.name is node2, but Patroni calls this node node1/,
    );
    const reads = facts.length;
    run(10_000, says());
    assert.equal(facts.length, reads);
    assert.ok(asked.every(({ name }) => name === 'node2'));
    said.keys = factsOf().keys;
    run(60_000, says());
    assert.equal(kinds().length, 2, 'told once');
  });

  it('is doubted at a switchover, compared again soon, and warned of only if it still contradicts one loop_wait later', () => {
    const { run, said, kinds, ask, facts } = scene(configOf({ witness: WITNESS }));
    run(29_000, says());
    said.keys = factsOf({ leader: 'node2' }).keys;
    run(6000, says());
    const route = ask();
    run(3000);
    assert.ok(facts.length > 0, 'a comparison has agreed before: used while it is doubted');
    route.unsubscribe();
    run(3000, says({ status: 503 }));
    assert.deepEqual(kinds(), ['not-compared', 'agrees'], 'the switchover is over');
    said.keys = factsOf({ leader: 'node1' }).keys;
    run(60_000, says({ status: 503 }));
    assert.deepEqual(kinds(), ['not-compared', 'agrees', 'contradicts']);
  });

  it('never asks for another name when the member key of a node that it has found is late at the thaw', () => {
    const { run, said, states, kinds } = scene(configOf({ witness: { ...WITNESS, name: 'node1' } }));
    run(29_000, says({ name: '' })); // before 3.2
    said.keys = factsOf({ member: undefined, leader: undefined }).keys;
    run(60_000);
    assert.deepEqual(kinds(), ['not-compared', 'agrees'], 'nothing is compared in a freeze');
    run(20_000, says({ name: '', status: 503 }));
    assert.equal(kinds().at(-1), 'contradicts');
    assert.match(
      (states.at(-1) as { message: string }).message,
      /although name and key are right: its key has expired/,
    );
    said.keys = factsOf().keys;
    run(40_000, says({ name: '' }));
    assert.equal(kinds().at(-1), 'agrees');
  });

  it('is told when it cannot be read, before it is needed, and when it can be read again', () => {
    const { run, said, kinds } = scene(configOf({ witness: WITNESS }));
    run(2000, says());
    said.keys = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    run(90_000, says());
    said.keys = factsOf().keys;
    run(31_000, says());
    assert.deepEqual(kinds(), ['not-compared', 'agrees', 'unreachable', 'agrees']);
  });

  it('is told once more when etcd turns out to refuse it, after it could not be reached', () => {
    const { run, said, states } = scene(configOf({ witness: WITNESS }));
    const failing = (reason: FailureReason): void => {
      said.keys = new ReasonedError(reason, `reads end with ${reason}`);
    };
    for (const reason of ['timed-out', 'refused-access', 'timed-out', 'refused-access'] as const) {
      failing(reason);
      run(31_000, says());
    }
    const told = states.flatMap((state) => (state?.kind === 'unreachable' ? [state.message] : []));
    assert.equal(told.length, 2);
    assert.match(told[1] ?? '', /reads end with refused-access/);
  });

  it('needs witness.name for a Patroni that does not say its own', () => {
    const { run, asked, states, kinds } = scene(configOf({ witness: WITNESS }));
    run(10_000, says({ name: '' }));
    assert.deepEqual(kinds(), ['not-compared', 'contradicts']);
    assert.match((states[1] as { message: string }).message, /write the name of patroni\.yml as witness\.name/);
    assert.deepEqual(asked, []);
  });

  it('may be used by a service that starts in the middle of a freeze, if witness.name is written', () => {
    const named = scene(configOf({ witness: { ...WITNESS, name: 'node1' } }));
    named.ask();
    named.run(3000);
    assert.ok(named.facts.length > 0);
    const nameless = scene(configOf({ witness: WITNESS }));
    nameless.ask();
    nameless.run(3000);
    assert.deepEqual(nameless.asked, []);
  });

  it('goes on after a reload in the middle of a freeze, and ends with the section', () => {
    const { run, config$, ask, facts, kinds, asked } = scene(configOf({ witness: WITNESS }));
    run(2000, says());
    ask();
    run(2000);
    config$.next(configOf({ witness: { ...WITNESS, etcd3: { hosts: ['127.0.0.2:2379'] } } }));
    const before = facts.length;
    run(2000);
    assert.ok(facts.length > before, 'what Patroni has said of its node still holds');
    config$.next(configOf({}));
    const after = asked.length;
    run(5000);
    assert.equal(asked.length, after);
    assert.deepEqual(kinds(), ['not-compared', 'agrees', 'not-compared', undefined]);
  });

  it('forgets what it knows of Patroni when the upstream changes', () => {
    const { run, config$, ask, asked } = scene(configOf({ witness: WITNESS }));
    run(2000, says());
    config$.next(configOf({ witness: WITNESS, backend: { host: '10.0.0.7' } }));
    ask();
    const before = asked.length;
    run(3000);
    assert.equal(asked.length, before, 'the name of the new node is not known');
  });

  it('reads nothing without the section', () => {
    const { run, ask, asked, states } = scene(configOf({}));
    ask();
    run(60_000, says());
    assert.deepEqual([asked, states], [[], []]);
  });
});
