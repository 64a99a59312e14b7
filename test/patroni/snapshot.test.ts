import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { afterEvent } from '../../src/patroni/snapshot.js';
import { endOf, readAt, withTimeToLive } from '../../src/patroni/snapshot.js';
import { answer, refused } from '../support/time/marbles.js';
import type { Answered, Lease, PollOutcome, Snapshot, Witnessed } from '../../src/patroni/types.js';

const ANSWER = answer(200);
const FRESH: Snapshot = { kind: 'fresh', answer: ANSWER, sentAtMs: 1000, freshUntilMs: 5000 };
const STALE: Snapshot = { kind: 'stale', answer: ANSWER, sentAtMs: 1000, sinceMs: 5000 };
const PENDING: Snapshot = { kind: 'pending', sinceMs: 0 };
const FAILURES = { count: 2, sinceMs: 2000, last: refused('x') };
const LEASE: Lease = { lastSeenAtMs: 500, endsAtMs: 4000 };

describe('readAt', () => {
  it('leaves an answer fresh while its age is less than its time to live', () => {
    assert.equal(readAt(FRESH, 4999.999), FRESH);
  });

  it('finds it stale from that moment on, with no timer having said so', () => {
    for (const nowMs of [5000, 5000.001, 1e12]) assert.deepEqual(readAt(FRESH, nowMs), STALE);
  });

  it('keeps what else is known: failed polls, and the lease by which it ended', () => {
    const more = { failures: FAILURES, lease: LEASE };
    assert.deepEqual(readAt({ ...FRESH, ...more }, 5000), { ...STALE, ...more });
  });

  it('leaves what is not fresh as it is', () => {
    for (const snapshot of [PENDING, STALE]) assert.equal(readAt(snapshot, 1e12), snapshot);
  });
});

describe('the end of an answer', () => {
  const answered: Answered = { kind: 'answered', answer: ANSWER, sentAtMs: 1000, endedAtMs: 1100 };

  it('is that of its time to live, or of its lease where that comes before', () => {
    assert.equal(endOf(answered, 4000), 5000);
    assert.equal(endOf({ ...answered, lease: LEASE }, 4000), 4000);
    assert.equal(endOf({ ...answered, lease: { ...LEASE, endsAtMs: 9000 } }, 4000), 5000);
  });
});

describe('another time to live', () => {
  const kept = { failures: FAILURES };

  it('holds at once where it is shorter, for an answer that ended by its lease, too', () => {
    assert.deepEqual(withTimeToLive(FRESH, 3000, 3999), { ...FRESH, freshUntilMs: 4000 });
    assert.deepEqual(withTimeToLive({ ...FRESH, lease: LEASE }, 2000, 2500), { ...FRESH, freshUntilMs: 3000 });
    assert.deepEqual(withTimeToLive(FRESH, 3000, 4000), { ...STALE, sinceMs: 4000 });
  });

  it('changes nothing where it is as long, or longer, or there is nothing fresh', () => {
    for (const ttlMs of [4000, 9000]) assert.equal(withTimeToLive(FRESH, ttlMs, 4999), FRESH);
    assert.deepEqual(withTimeToLive(FRESH, 9000, 5000), STALE);
    for (const snapshot of [PENDING, STALE]) assert.equal(withTimeToLive(snapshot, 1, 1e6), snapshot);
  });

  it('keeps failed polls', () => {
    assert.deepEqual(withTimeToLive({ ...FRESH, ...kept }, 3000, 3000), { ...FRESH, ...kept, freshUntilMs: 4000 });
  });
});

describe('the snapshot after an event', () => {
  const TTL_MS = 4000;
  const answered: PollOutcome = { kind: 'answered', answer: ANSWER, sentAtMs: 1000, endedAtMs: 1100 };
  const failedAt = (sentAtMs: number): PollOutcome => {
    return { kind: 'failed', failure: refused('x'), sentAtMs, endedAtMs: sentAtMs + 1 };
  };

  it('is fresh after an answer, whatever was before, or stale where its time is over already', () => {
    for (const before of [PENDING, STALE, { ...FRESH, failures: FAILURES }]) {
      assert.deepEqual(afterEvent(before, answered, TTL_MS, 1100), FRESH);
      assert.deepEqual(afterEvent(before, answered, TTL_MS, 5000), STALE);
    }
  });

  it('has the lease by which the answer ends, and no other', () => {
    const after = (endsAtMs: number): Snapshot =>
      afterEvent(PENDING, { ...answered, lease: { ...LEASE, endsAtMs } }, TTL_MS, 1100);
    assert.deepEqual(after(4000), { ...FRESH, freshUntilMs: 4000, lease: LEASE });
    assert.deepEqual(after(5000), { ...FRESH, lease: { ...LEASE, endsAtMs: 5000 } });
    assert.deepEqual(after(5001), FRESH);
    assert.deepEqual(after(900), { ...STALE, sinceMs: 900, lease: { ...LEASE, endsAtMs: 900 } });
  });

  it('counts failed polls from the first of them on, and changes nothing else', () => {
    const once = { count: 1, sinceMs: 2000, last: refused('x') };
    for (const before of [PENDING, FRESH, STALE]) {
      const first = afterEvent(before, failedAt(2000), TTL_MS, 3000);
      assert.deepEqual(first, { ...before, failures: once });
      assert.deepEqual(afterEvent(first, failedAt(3000), TTL_MS, 3001), { ...before, failures: { ...once, count: 2 } });
    }
    assert.deepEqual(afterEvent(FRESH, failedAt(2000), TTL_MS, 5000), { ...STALE, failures: once });
  });

  it('is stale when the time is over, and not before', () => {
    assert.equal(afterEvent(FRESH, { kind: 'expired' }, TTL_MS, 4999), FRESH);
    assert.deepEqual(afterEvent(FRESH, { kind: 'expired' }, TTL_MS, 5000), STALE);
  });

  it('is the answer of the witness until this ends, and the series of failed polls goes on', () => {
    const witnessed: Witnessed = {
      ...{ kind: 'witnessed', answer: answer(503), sentAtMs: 3000, endsAtMs: 6000 },
      ...{ source: 'etcd3', why: 'the leader key names node2' },
    };
    const expected: Snapshot = {
      ...{ kind: 'fresh', answer: witnessed.answer, sentAtMs: 3000, freshUntilMs: 6000 },
      witness: { source: 'etcd3', why: 'the leader key names node2' },
    };
    assert.deepEqual(afterEvent(FRESH, witnessed, TTL_MS, 3001), expected);
    const failing = afterEvent({ ...FRESH, failures: FAILURES }, witnessed, TTL_MS, 3001);
    assert.deepEqual(failing, { ...expected, failures: FAILURES });
    assert.equal(afterEvent(failing, failedAt(4000), TTL_MS, 4001).failures?.count, 3);
    assert.deepEqual(
      afterEvent(failing, { kind: 'answered', answer: ANSWER, sentAtMs: 5000, endedAtMs: 5001 }, TTL_MS, 5001),
      {
        ...{ kind: 'fresh', answer: ANSWER, sentAtMs: 5000, freshUntilMs: 9000 },
      },
    );
    const late = afterEvent(FRESH, { ...witnessed, endsAtMs: 99_000 }, TTL_MS, 3001);
    assert.equal(late.kind === 'fresh' && late.freshUntilMs, 7000, 'not past its time to live');
    assert.equal(afterEvent(FRESH, { ...witnessed, endsAtMs: 3000 }, TTL_MS, 3001).kind, 'stale');
  });
});
