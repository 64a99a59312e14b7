import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type SchedulerLike, NEVER, VirtualTimeScheduler, filter, map, merge } from 'rxjs';
import { createClock, createScheduler } from '../../src/streams/clock.js';
import {
  type Standstill,
  createHeartbeat,
  createOutcomeFilter,
  missedPolls,
  wasMostlyStill,
} from '../../src/streams/heartbeat.js';
import { createMachine } from '../support/time/machine.js';
import { answer, refused, runMarbles } from '../support/time/marbles.js';
import { createStillProcess } from '../support/time/still-process.js';
import type { PollOutcome } from '../../src/patroni/types.js';

describe('createHeartbeat', () => {
  it('tells of a standstill two turns of the event loop after its end, and how long it was', () => {
    runMarbles(({ expectObservable }, virtual) => {
      const { scheduler } = createStillProcess(virtual, { fromMs: 1234, toMs: 8000 });
      const { standstill$ } = createHeartbeat(scheduler);
      expectObservable(standstill$, '20s !').toBe('8002ms s', { s: { fromMs: 1200, toMs: 8000 } });
    });
  });

  it('tells of nothing while beats are a little late', () => {
    runMarbles(({ expectObservable, flush }, virtual) => {
      let beats = 0;
      const scheduler: SchedulerLike = {
        now: () => virtual.now(),
        schedule: (work: never, delayMs = 0, state?: never) => {
          beats += 1;
          return virtual.schedule(work, delayMs + (beats % 2) * 99, state);
        },
      };
      expectObservable(createHeartbeat(scheduler).standstill$, '10s !').toBe('');
      flush();
      assert.ok(beats >= 66, String(beats));
    });
  });

  it('beats once however many listen, not at all when nobody does, and what passed meanwhile is no standstill', () => {
    runMarbles(({ cold, expectObservable, flush }, virtual) => {
      let scheduled = 0;
      const scheduler: SchedulerLike = {
        now: () => virtual.now(),
        schedule: (work: never, delayMs?: number, state?: never) => {
          scheduled += 1;
          return virtual.schedule(work, delayMs, state);
        },
      };
      const heartbeat = createHeartbeat(scheduler);
      expectObservable(merge(heartbeat.standstill$, heartbeat.standstill$), '950ms !').toBe('');
      const still$ = cold('5s a').pipe(map(() => heartbeat.stoodStillMs(0, virtual.now())));
      expectObservable(still$).toBe('5s n', { n: 0 });
      expectObservable(heartbeat.standstill$, '6s ^ 950ms !').toBe('');
      flush();
      assert.equal(scheduled, 20);
      assert.deepEqual(virtual.actions, []);
    });
  });

  it('says how much of a time was standstill, also before a late beat has noticed it', () => {
    runMarbles(({ cold, expectObservable }, virtual) => {
      const { scheduler } = createStillProcess(virtual, { fromMs: 1000, toMs: 5000 });
      const heartbeat = createHeartbeat(scheduler);
      const asked: Record<string, readonly [number, number]> = {
        a: [0, 900],
        b: [0, 4990], // of this moment: the process goes on, and its first timer has not fired
        c: [3000, 4990],
        d: [0, 6000],
        e: [3000, 6000],
        f: [5000, 6000],
      };
      const still$ = cold('900ms a 4089ms (bc) 1006ms (def)').pipe(
        map((name) => heartbeat.stoodStillMs(...(asked[name] ?? assert.fail()))),
      );
      expectObservable(merge(heartbeat.standstill$.pipe(map(() => 'standstill')), still$), '7s !').toBe(
        '900ms a 4089ms (bc) 8ms s 997ms (def)',
        { a: 0, b: 3990, c: 1990, s: 'standstill', d: 4000, e: 2000, f: 0 },
      );
    });
  });

  it('knows each of several standstills', () => {
    runMarbles(({ cold, expectObservable }, virtual) => {
      const first = createStillProcess(virtual, { fromMs: 1000, toMs: 3000 });
      const second = createStillProcess(virtual, { fromMs: 4000, toMs: 7000 });
      const scheduler: SchedulerLike = {
        now: () => virtual.now(),
        schedule: (work: never, delayMs?: number, state?: never) =>
          (virtual.now() < 3000 ? first : second).scheduler.schedule(work, delayMs, state),
      };
      const heartbeat = createHeartbeat(scheduler);
      const still$ = cold('8s a').pipe(map(() => heartbeat.stoodStillMs(2000, 8000)));
      const lasted$ = heartbeat.standstill$.pipe(map(({ fromMs, toMs }) => toMs - fromMs));
      expectObservable(merge(lasted$, still$), '9s !').toBe('3002ms a 3999ms b 997ms c', {
        a: 2000,
        b: 3000,
        c: 4000,
      });
    });
  });

  it('counts the time in which the machine was suspended, although no timer is late by its own clock', () => {
    const machine = createMachine();
    const scheduler = createScheduler(createClock(machine));
    const heartbeat = createHeartbeat(scheduler);
    const beating = heartbeat.standstill$.subscribe({ error: assert.ifError });
    try {
      const fromMs = scheduler.now();
      machine.wait(50);
      machine.suspend(3_600_000);
      const stillMs = heartbeat.stoodStillMs(fromMs, scheduler.now());
      assert.ok(stillMs >= 3_600_000, String(stillMs));
    } finally {
      beating.unsubscribe();
    }
  });
});

describe('a poll that failed', () => {
  const still = {
    stoodStillMs: (fromMs: number, toMs: number): number => Math.max(0, Math.min(toMs, 5000) - Math.max(fromMs, 1000)),
  };
  const failed = (sentAtMs: number, endedAtMs: number): PollOutcome => ({
    ...{ kind: 'failed', failure: refused('x'), sentAtMs, endedAtMs },
  });

  it('counts for nothing where the process stood still for most of it', () => {
    runMarbles(({ cold, expectObservable }) => {
      const outcomes = {
        a: failed(0, 1000),
        b: failed(500, 2500),
        c: failed(4000, 5001),
        d: failed(4000, 6000),
        e: failed(5000, 7000),
      };
      const outcome$ = cold('abdce', outcomes).pipe(filter(createOutcomeFilter(still)));
      expectObservable(outcome$).toBe('a-d-e', outcomes);
    });
  });

  it('counts where the one before it did not: Patroni may be frozen beside a process without CPU time', () => {
    const counts = createOutcomeFilter({ stoodStillMs: (fromMs, toMs) => toMs - fromMs });
    const given = [failed(0, 2000), failed(2000, 4000), failed(4000, 6000)];
    assert.deepEqual(given.map(counts), [false, true, true]);
    assert.equal(counts({ kind: 'answered', answer: answer(200), sentAtMs: 6000, endedAtMs: 6001 }), true);
    assert.equal(counts(failed(7000, 9000)), false, 'after an answer');
  });

  it('is the only one that is left out: answers count, whatever their age', () => {
    runMarbles(({ cold, expectObservable }) => {
      const answered: PollOutcome = { kind: 'answered', answer: answer(200), sentAtMs: 900, endedAtMs: 5001 };
      expectObservable(merge(cold('a', { a: answered }), NEVER).pipe(filter(createOutcomeFilter(still)))).toBe('a', {
        a: answered,
      });
    });
  });

  it("is Patroni's where the process stood still for half of the time", () => {
    assert.equal(wasMostlyStill(still, 0, 2000), false);
    assert.equal(wasMostlyStill(still, 0, 2001), true);
  });
});

describe('standstills that missed a poll', () => {
  it('are those longer than half of an interval', () => {
    runMarbles(({ cold, expectObservable }) => {
      const still = (lengthMs: number): Standstill => ({ fromMs: 1000, toMs: 1000 + lengthMs });
      const values = { a: still(500), b: still(501), c: still(499), d: still(4000) };
      expectObservable(missedPolls({ standstill$: cold('abcd', values) }, 1000)).toBe('-b-d', values);
    });
  });
});

describe('what is remembered of standstills', () => {
  it('is the newest 64, and none that is no longer than two beats', () => {
    const scheduler = new VirtualTimeScheduler();
    let lateMs = 0;
    let shiftMs = 0;
    const late: SchedulerLike = {
      now: () => scheduler.now() + shiftMs,
      schedule: scheduler.schedule.bind(scheduler),
    };
    const heartbeat = createHeartbeat(late);
    const subscription = heartbeat.standstill$.subscribe({ error: assert.ifError });
    /** This much time passes from one beat to the next, then one more beat. */
    const beat = (apartMs: number): void => {
      lateMs = apartMs - 100;
      shiftMs += lateMs;
      scheduler.maxFrames += 100;
      scheduler.flush();
      scheduler.maxFrames += 100;
      scheduler.flush();
    };
    scheduler.maxFrames = 0;
    beat(200);
    assert.equal(heartbeat.stoodStillMs(0, late.now()), 0);
    beat(201);
    assert.equal(heartbeat.stoodStillMs(0, late.now()), 201);
    for (let times = 1; times < 64; times += 1) beat(300);
    assert.equal(heartbeat.stoodStillMs(0, late.now()), 201 + 63 * 300);
    beat(300);
    assert.equal(heartbeat.stoodStillMs(0, late.now()), 64 * 300);
    subscription.unsubscribe();
  });
});
