import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { brokenBounds } from '../../bench/support/report.js';
import type { Round } from '../../bench/soak/rounds.js';
import { brokenOverall, rowsOf } from '../../bench/soak/verdict.js';

const round: Round = {
  checks: 5000,
  due: 5000,
  good: 4000,
  refused: 1000,
  failures: [],
  tooOld: 0,
  latencies: { p50: 1, p99: 5, max: 20 },
  linesDropped: 300,
  state: {
    heapBytes: 15_000_000,
    externalBytes: 3_700_000,
    bufferBytes: 75_000,
    residentMB: 85,
    files: 21,
    resources: { PipeWrap: 2, TCPServerWrap: 1, Timeout: 30 },
  },
};

/** Six rounds after the warm-up, of which each has so many more than the one before. */
function growing(by: (rounds: number) => Partial<Round['state']>): readonly Round[] {
  return Array.from({ length: 7 }, (_, rounds) => ({ ...round, state: { ...round.state, ...by(rounds) } }));
}

function broken(rounds: readonly Round[]): readonly string[] {
  return brokenBounds([{ name: 'soak', title: '', rows: rowsOf(rounds) }]);
}

describe('the verdict on a soak', () => {
  it('is good where nothing grows', () => {
    assert.deepEqual(broken(growing(() => ({}))), []);
    assert.deepEqual(brokenOverall([round]), []);
  });

  it('lets the warm-up hold less than what comes after it', () => {
    const { state } = round;
    assert.deepEqual(broken([{ ...round, state: { ...state, heapBytes: 12e6, files: 15 } }, round, round]), []);
  });

  it('takes no harm of a route that was not polled in the first round', () => {
    const { state } = round;
    const fewer = { ...round, state: { ...state, resources: { ...state.resources, Timeout: 28 } } };
    assert.deepEqual(broken([round, fewer, round]), []);
  });

  const { heapBytes, externalBytes, bufferBytes, residentMB, files, resources } = round.state;
  const leaks: readonly (readonly [string, (rounds: number) => Partial<Round['state']>])[] = [
    ['heap', (rounds) => ({ heapBytes: heapBytes + rounds * 300_000 })],
    ['external', (rounds) => ({ externalBytes: externalBytes + rounds * 50_000 })],
    ['buffers', (rounds) => ({ bufferBytes: bufferBytes + rounds * 50_000 })],
    ['resident', (rounds) => ({ residentMB: residentMB + rounds * 8 })],
    ['files', (rounds) => ({ files: files + rounds })],
    ['handles', (rounds) => ({ resources: { ...resources, TCPSocketWrap: rounds } })],
    ['timers', (rounds) => ({ resources: { ...resources, Timeout: 30 + rounds } })],
  ];
  for (const [what, by] of leaks) {
    it(`tells of ${what} that grows`, () => {
      const sentences = broken(growing(by));
      assert.match(sentences.at(-1) ?? '', new RegExp(`^soak, round 6: .*${what}`));
      assert.ok(sentences.every((sentence) => sentence.includes(what)));
    });
  }

  const wrong: readonly (readonly [string, Partial<Round>, RegExp])[] = [
    ['a check without a reply', { failures: ['ECONNRESET'] }, /else is ECONNRESET × 1/],
    ['another status', { failures: [500, 500] }, /else is 500 × 2/],
    ['a 200 that was too old', { tooOld: 1 }, /too old is 1/],
    ['checks that were not sent', { checks: 100 }, /checks is 100/],
    ['faults without effect', { refused: 0 }, /503 is 0/],
    ['never a 200', { good: 0 }, /200 is 0/],
  ];
  for (const [what, fault, sentence] of wrong) {
    it(`tells of ${what}, in the warm-up too`, () => {
      assert.match(broken([{ ...round, ...fault }, round, round]).join(), sentence);
      assert.match(broken([round, round, { ...round, ...fault }]).join(), sentence);
    });
  }

  it('tells of a log reader that was never missed', () => {
    assert.equal(brokenOverall([{ ...round, linesDropped: 0 }]).length, 1);
  });
});
