import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { slowGate } from '../../src/streams/slow-gate.js';
import { answer, refused } from '../support/time/marbles.js';
import type { PollOutcome } from '../../src/patroni/types.js';

const DEADLINE_MS = 2000;

/** The gate of a slow route on a clock that the test moves. */
function scene() {
  let nowMs = 0;
  let isOpen = true;
  let thawedAtMs = -Infinity;
  const seen: PollOutcome[] = [];
  const clock = { now: () => nowMs, schedule: () => assert.fail('nothing is scheduled') };
  const inner = { mayPoll: () => isOpen, onOutcome: (outcome: PollOutcome) => seen.push(outcome) };
  const gate = slowGate(inner, { thawedAtMs: () => thawedAtMs }, clock);
  const see = (outcome: PollOutcome): void => {
    nowMs = outcome.endedAtMs;
    gate.onOutcome(outcome);
  };
  return {
    seen,
    answered() {
      see({ kind: 'answered', answer: answer(200), sentAtMs: nowMs, endedAtMs: nowMs + 5 });
    },
    failed(more: { givenUp?: true }) {
      see({ kind: 'failed', failure: refused('x'), sentAtMs: nowMs, endedAtMs: nowMs + DEADLINE_MS, ...more });
    },
    close() {
      isOpen = false;
    },
    thaw(atMs: number) {
      thawedAtMs = atMs;
    },
    mayPollAt(ms: number) {
      nowMs = ms;
      return gate.mayPoll();
    },
  };
}

describe('the gate of a slow route', () => {
  it('is open at first, and after an answer or a failure that cost Patroni nothing', () => {
    const route = scene();
    assert.ok(route.mayPollAt(0));
    route.answered();
    assert.ok(route.mayPollAt(6));
    route.failed({});
    assert.ok(route.mayPollAt(2007));
  });

  it('is closed for 10 s from the start of a poll that was given up, then for 20, 40 and 60 s, a little less each', () => {
    const route = scene();
    let sentAtMs = 0;
    for (const pauseMs of [10_000, 20_000, 40_000, 60_000, 60_000]) {
      assert.ok(route.mayPollAt(sentAtMs), `at ${sentAtMs} ms`);
      route.failed({ givenUp: true });
      assert.ok(!route.mayPollAt(sentAtMs + pauseMs - 101), `before ${pauseMs} ms`);
      assert.ok(route.mayPollAt(sentAtMs + pauseMs - 100), `after ${pauseMs} ms`);
      sentAtMs += pauseMs;
    }
  });

  it('begins anew with the shortest pause after an answer', () => {
    const route = scene();
    for (let times = 0; times < 3; times += 1) route.failed({ givenUp: true });
    route.answered();
    route.mayPollAt(100_000);
    route.failed({ givenUp: true });
    assert.ok(!route.mayPollAt(109_899));
    assert.ok(route.mayPollAt(109_900));
  });

  it('is open after a thaw that came since the poll ended, and not after one before it', () => {
    const route = scene();
    route.failed({ givenUp: true });
    for (const beforeMs of [1999, 2000]) {
      route.thaw(beforeMs);
      assert.ok(!route.mayPollAt(3000), `thawed at ${beforeMs} ms`);
    }
    route.thaw(2001);
    assert.ok(route.mayPollAt(3000));
  });

  it('is closed while the gate of the freeze is, which hears of each poll', () => {
    const route = scene();
    route.failed({ givenUp: true });
    route.answered();
    route.close();
    assert.ok(!route.mayPollAt(1e9));
    assert.deepEqual(
      route.seen.map(({ kind }) => kind),
      ['failed', 'answered'],
    );
  });
});
