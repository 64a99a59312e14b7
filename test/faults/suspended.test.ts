import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { NEVER, Subject, concat, mergeMap, of } from 'rxjs';
import { createClock, createScheduler } from '../../src/clock.js';
import { type Answer, type Snapshot, readAt } from '../../src/snapshot.js';
import { type Cache, createCache } from '../../src/streams/cache.js';
import { expire } from '../../src/streams/expiry.js';
import { poll } from '../../src/streams/poll.js';
import { type Machine, createMachine } from '../support/machine.js';
import { eventually } from '../support/wait.js';

const TTL_MS = 4000;
const HOUR_MS = 3_600_000;

const answer: Answer = { status: 200, body: Buffer.from('{"role": "primary"}') };

/** Production's clock and streams on a machine whose clocks the test moves; Node's timers stand still meanwhile, or are late. */
describe('an answer on a machine that was suspended, or whose wall clock was set', () => {
  let machine: Machine;
  let cache: Cache;
  let nowMs: () => number;
  const stop$ = new Subject<void>();
  let polling: { unsubscribe(): void };
  beforeEach(async () => {
    machine = createMachine();
    const scheduler = createScheduler(createClock(machine));
    nowMs = () => scheduler.now();
    let asked = 0;
    const snapshots = (): ReturnType<typeof expire> => {
      // the first poll is answered, and every later one hangs
      const request = of(undefined).pipe(mergeMap(() => ((asked += 1) === 1 ? of(answer) : concat(NEVER, of(answer)))));
      const classify = (): never => assert.fail('no poll fails by itself');
      return expire(poll(request, { intervalMs: 60_000, deadlineMs: 30_000, scheduler, classify }), {
        ttlMs: TTL_MS,
        scheduler,
      });
    };
    cache = createCache(['/primary' as never], { snapshots, maxLearned: 0, forgetAfterMs: HOUR_MS, scheduler });
    polling = cache.route$.pipe(mergeMap(({ snapshot$ }) => snapshot$)).subscribe(() => undefined);
    await eventually('the answer is there', 5000, () => told() === 'fresh');
  });
  afterEach(() => {
    polling.unsubscribe();
    stop$.complete();
  });
  const told = (): Snapshot['kind'] | undefined => {
    const latest = cache.latest('/primary' as never);
    return latest && readAt(latest, nowMs()).kind;
  };
});
