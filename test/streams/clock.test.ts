import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createClock } from '../../src/streams/clock.js';
import { type Machine, createMachine } from '../support/time/machine.js';

/** A machine with its three clocks, and patroniglue's clock on it. */
function createClockedMachine(): Machine & { now(): number } {
  const machine = createMachine();
  return { ...machine, ...createClock(machine) };
}

describe('createClock', () => {
  it('goes with the monotonic clock, to its precision', () => {
    const machine = createClockedMachine();
    const before = machine.now();
    machine.wait(1234.5);
    assert.equal(machine.now() - before, 1234.5);
  });

  it('is not moved by a step of the wall clock, in either direction', () => {
    for (const step of [7_200_000, -7_200_000, 50]) {
      const machine = createClockedMachine();
      const before = machine.now();
      machine.stepWallClock(step);
      machine.wait(100);
      assert.equal(machine.now() - before, 100, `after a step of ${step} ms`);
    }
  });

  it('counts the time in which the machine was suspended, never too low, and too high by its coarseness at most', () => {
    const machine = createClockedMachine();
    let before = machine.now();
    for (const sleepMs of [3000, 100, 28_800_000]) {
      machine.wait(10);
      machine.suspend(sleepMs);
      const passed = machine.now() - before;
      assert.ok(passed >= sleepMs + 10 && passed <= sleepMs + 60, `${passed} ms for a sleep of ${sleepMs} ms`);
      before = machine.now();
    }
  });

  it('counts a suspension at whose end the wall clock was set as well', () => {
    const machine = createClockedMachine();
    const before = machine.now();
    machine.suspend(60_000);
    machine.stepWallClock(-3_600_000);
    assert.ok(machine.now() - before >= 60_000);
  });

  it('counts a suspension after one that it took too high', () => {
    const machine = createClockedMachine();
    machine.suspend(10_000);
    machine.now();
    machine.forgetBoot(10_000); // what told the boot time was replaced: it tells ten seconds less
    machine.stepWallClock(-10_000);
    const before = machine.now();
    machine.suspend(8000);
    assert.ok(machine.now() - before >= 8000);
  });

  it('never goes back', () => {
    const machine = createClockedMachine();
    let last = machine.now();
    for (const act of [
      () => {
        machine.suspend(500);
      },
      () => {
        machine.stepWallClock(-9e6);
      },
      () => {
        machine.stepWallClock(9e6);
      },
    ]) {
      act();
      const now = machine.now();
      assert.ok(now >= last);
      last = now;
    }
  });
});
