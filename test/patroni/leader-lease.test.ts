import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { withLease, leaseOf } from '../../src/patroni/leader-lease.js';
import { canonicalRoute } from '../../src/patroni/routes.js';
import { afterEvent, readAt } from '../../src/patroni/snapshot.js';
import { ASSUMED_TIMINGS, type PatroniTimings, knownTimings } from '../../src/patroni/timings-in-force.js';
import type { Answer, PollOutcome } from '../../src/patroni/types.js';

const TIMINGS: PatroniTimings = { ttlMs: 30_000, loopWaitMs: 10_000, retryTimeoutMs: 10_000, failsafeMode: false };
const TOLERATED_MS = 20_000;

/** The wall clock of the tests when Patroni saw its DCS, in whole seconds as it says it. */
const SEEN_S = 1_800_000_000;

const route = (target: string) => canonicalRoute(target) ?? assert.fail(target);
const saying = (more: object = {}, status = 200): Answer => ({
  status,
  body: Buffer.from(JSON.stringify({ state: 'running', role: 'primary', dcs_last_seen: SEEN_S, ...more })),
});

/** How long an answer still counts, in milliseconds, if Patroni made it `ageMs` after it had last reached its DCS. */
function leftMs(target: string, answer: Answer, ageMs = 0, timings = TIMINGS): number | undefined {
  const madeAt = { patroniMs: SEEN_S * 1000 + ageMs, schedulerMs: 5000 };
  const lease = leaseOf(route(target), answer, () => timings, madeAt);
  return lease && lease.endsAtMs - 5000;
}

describe('the lease guard', () => {
  it('ends a 200 of a leader at dcs_last_seen + loop_wait + retry_timeout', () => {
    for (const target of ['/primary', '/', '/master', '/read-write', '/leader', '/standby-leader', '/read-only']) {
      assert.equal(leftMs(target, saying()), TOLERATED_MS, target);
      assert.equal(leftMs(target, saying(), 15_000), 5000, target);
      assert.equal(leftMs(target, saying(), 25_000), -5000, target);
    }
  });

  it('ends it for each role of a leader on the routes that replicas answer, too', () => {
    for (const role of ['primary', 'master', 'standby_leader']) {
      for (const target of ['/read-only', '/read-only-sync', '/read-only-quorum?lag=1MB']) {
        assert.equal(leftMs(target, saying({ role })), TOLERATED_MS, `${target} of a ${role}`);
      }
    }
    assert.equal(leftMs('/read-only?tag_a=b', saying({ role: 'replica' })), undefined);
  });

  it('says nothing of what does not rest on the leader key', () => {
    for (const target of ['/replica', '/sync', '/async', '/quorum', '/health', '/readiness', '/liveness', '/patroni']) {
      assert.equal(leftMs(target, saying()), undefined, target);
    }
    assert.equal(leftMs('/primary', saying({}, 503)), undefined);
  });

  it('says nothing in pause, in failsafe mode, or of a body that does not tell', () => {
    assert.equal(leftMs('/primary', saying({ pause: true }), 99_000), undefined);
    assert.equal(leftMs('/primary', saying({ failsafe_mode_is_active: true }), 99_000), undefined);
    for (const dcs_last_seen of [undefined, null, 0, -1, 'yesterday']) {
      assert.equal(leftMs('/primary', saying({ dcs_last_seen }), 99_000), undefined, String(dcs_last_seen));
    }
    for (const body of ['', 'no', '[]', 'null', '{"dcs_last_seen": NaN}', JSON.stringify({ a: 'x' })]) {
      assert.equal(leftMs('/primary', { status: 200, body: Buffer.from(body) }, 99_000), undefined, body.slice(0, 20));
    }
  });

  it('does not read a body that is longer than any of Patroni, of 64 kB', () => {
    const bodyOf = (bytes: number): Answer => {
      const { body } = saying();
      return { status: 200, body: Buffer.concat([body, Buffer.alloc(bytes - body.length, ' ')]) };
    };
    assert.equal(leftMs('/primary', bodyOf(65_536)), TOLERATED_MS);
    assert.equal(leftMs('/primary', bodyOf(65_537)), undefined);
  });

  it('does not ask for the role on a route that the leader alone answers', () => {
    assert.equal(leftMs('/primary', saying({ role: 'replica' })), TOLERATED_MS);
    assert.equal(leftMs('/read-only', saying({ role: 'replica' })), undefined);
  });

  it('waits for the members to agree where failsafe mode is on, for as long as they may take', () => {
    assert.equal(leftMs('/primary', saying(), 0, { ...TIMINGS, failsafeMode: true }), TOLERATED_MS + 4000);
    const short = { ...TIMINGS, ttlMs: 22_000, failsafeMode: true };
    assert.equal(leftMs('/primary', saying(), 0, short), 16_000, 'not where that is over ttl by the rule');
    assert.equal(leftMs('/primary', saying(), 0, { ...short, retryTimeoutMs: 6000 }), 16_000 + 3000);
  });

  it('goes by the timings in force at the version that the answer names', () => {
    const known = [{ ttl: 30, loop_wait: 10, retry_timeout: 30 }];
    const leftAt = (version?: string) => {
      const answer = saying(version === undefined ? {} : { patroni: { version, scope: 'main' } });
      const madeAt = { patroniMs: SEEN_S * 1000, schedulerMs: 0 };
      return leaseOf(route('/primary'), answer, (of) => knownTimings(known, of) ?? ASSUMED_TIMINGS, madeAt)?.endsAtMs;
    };
    assert.equal(leftAt('4.1.4'), 15_000);
    assert.equal(leftAt('3.2.0'), 15_000);
    assert.equal(leftAt('3.1.2'), 20_000, 'half of what there is after loop_wait');
    assert.equal(leftAt(), 20_000);
  });

  it('is not made longer by a clock that was set back', () => {
    assert.equal(leftMs('/primary', saying(), -3_600_000), TOLERATED_MS);
  });
});

describe('an outcome with its lease', () => {
  const answered = (more: Partial<Answer> = {}): PollOutcome => {
    return { kind: 'answered', answer: { ...saying(), ...more }, sentAtMs: 1000, endedAtMs: 1300 };
  };
  const endsAtMs = (outcome: PollOutcome): number | undefined =>
    outcome.kind === 'answered' ? outcome.lease?.endsAtMs : undefined;

  it("goes by this host's clock where Patroni is on it, from the end of the poll", () => {
    const wallMs = (): number => SEEN_S * 1000 + 4500;
    const outcome = withLease(route('/primary'), answered({ dateMs: 0 }), () => TIMINGS, wallMs);
    assert.equal(endsAtMs(outcome), 1300 + TOLERATED_MS - 4500);
  });

  it("goes by Patroni's Date where it is elsewhere, which may be a second old, from the beginning of the poll", () => {
    const outcome = withLease(route('/primary'), answered({ dateMs: (SEEN_S + 4) * 1000 }), () => TIMINGS);
    assert.equal(endsAtMs(outcome), 1000 + TOLERATED_MS - 5000);
  });

  it('is as it was without a Date, and where a poll failed', () => {
    assert.equal(endsAtMs(withLease(route('/primary'), answered(), () => TIMINGS)), undefined);
    const failed: PollOutcome = {
      kind: 'failed',
      failure: { reason: 'reset', message: 'reset' },
      sentAtMs: 1000,
      endedAtMs: 1300,
    };
    assert.equal(
      withLease(route('/primary'), failed, () => TIMINGS),
      failed,
    );
  });

  it('never counts for longer than its time to live, nor than the lease, whatever Patroni says', () => {
    const ms = fc.integer({ min: 0, max: 100_000 });
    fc.assert(
      fc.property(ms, ms, ms, (ageMs, ttlMs, laterMs) => {
        const wallMs = (): number => SEEN_S * 1000 + ageMs;
        const outcome = withLease(route('/primary'), answered(), () => TIMINGS, wallMs);
        const snapshot = afterEvent({ kind: 'pending', sinceMs: 0 }, outcome, ttlMs, 1300);
        const { kind } = readAt(snapshot, 1300 + laterMs);
        const counts = laterMs + 300 < ttlMs && ageMs + laterMs < TOLERATED_MS;
        assert.equal(kind, counts ? 'fresh' : 'stale');
      }),
    );
  });
});
