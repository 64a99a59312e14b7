import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Snapshot, readAt } from '../src/snapshot.js';
import { answer } from './support/marbles.js';

describe('readAt', () => {
  const fresh: Snapshot = { kind: 'fresh', answer: answer(200), sentAtMs: 1000, freshUntilMs: 5000 };

  it('leaves an answer fresh while its age is less than its time to live', () => {
    assert.equal(readAt(fresh, 4999.999), fresh);
  });

  it('finds it stale from that moment on, with no timer having said so', () => {
    for (const nowMs of [5000, 5000.001, 1e12]) {
      assert.deepEqual(readAt(fresh, nowMs), { kind: 'stale', answer: fresh.answer, sentAtMs: 1000, sinceMs: 5000 });
    }
  });
});
