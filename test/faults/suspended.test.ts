import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { NEVER, type Subscription, concat, mergeMap, of } from 'rxjs';
import { createClock, createScheduler } from '../../src/streams/clock.js';
import { createHandler } from '../../src/http/handler.js';
import { createCache } from '../../src/streams/cache.js';
import { expire } from '../../src/streams/expiry.js';
import { type Machine, createMachine } from '../support/time/machine.js';
import type { PollOutcome, CanonicalRoute } from '../../src/patroni/types.js';

const TTL_MS = 4000;
const HOUR_MS = 3_600_000;

/** Production's clock, cache and replies on a machine whose clocks the test moves. No timer fires meanwhile: all are late. */
describe('an answer on a machine that was suspended, or whose wall clock was set', () => {
  let machine: Machine;
  let told: () => number;
  let polling: Subscription;
  beforeEach(() => {
    machine = createMachine();
    const scheduler = createScheduler(createClock(machine));
    const outcome: PollOutcome = {
      kind: 'answered',
      answer: { status: 200, body: Buffer.from('{"role": "primary"}') },
      sentAtMs: scheduler.now(),
      endedAtMs: scheduler.now(),
    };
    const snapshots = (): ReturnType<typeof expire> => expire(concat(of(outcome), NEVER), { ttlMs: TTL_MS, scheduler });
    const route = '/primary' as CanonicalRoute;
    const cache = createCache([route], { snapshots, maxLearned: 0, forgetAfterMs: HOUR_MS, scheduler });
    polling = cache.route$.pipe(mergeMap(({ snapshot$ }) => snapshot$)).subscribe({
      error: (error: unknown) => {
        throw error;
      },
    });
    const handle = createHandler(cache, { nowMs: () => scheduler.now(), wallMs: machine.wallMs });
    told = () => handle({ method: 'GET', httpVersion: '1.0', target: '/primary', hasBody: false }).status;
    assert.equal(told(), 200);
  });
  afterEach(() => {
    polling.unsubscribe();
  });

  it('is 503 at the first check after a sleep longer than its time to live', () => {
    machine.suspend(8 * HOUR_MS);
    assert.equal(told(), 503);
  });

  it('has lived for as long as the machine slept, and lives for the rest', () => {
    machine.wait(1000);
    machine.suspend(2000);
    machine.wait(900);
    assert.equal(told(), 200);
    machine.wait(100);
    assert.equal(told(), 503);
  });

  it('lives no shorter and no longer when the wall clock is set, hours forward or back', () => {
    for (const stepMs of [5 * HOUR_MS, -9 * HOUR_MS]) {
      machine.stepWallClock(stepMs);
      machine.wait(TTL_MS / 2 - 1);
      assert.equal(told(), 200);
    }
    machine.stepWallClock(5 * HOUR_MS);
    machine.wait(2);
    assert.equal(told(), 503);
  });

  it('has ended with a sleep, at whose end the wall clock was set back to when it began', () => {
    machine.suspend(HOUR_MS);
    machine.stepWallClock(-HOUR_MS - 50);
    assert.equal(told(), 503);
  });
});
