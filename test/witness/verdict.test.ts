import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { canonicalRoute } from '../../src/patroni/routes.js';
import type { Facts } from '../../src/witness/types.js';
import { isWitnessed, judge } from '../../src/witness/verdict.js';
import { type FactsOptions, PRIMARY_MEMBER, REPLICA_MEMBER, factsOf } from '../support/witness/facts.js';

const TTL_MS = 4000;

const route = (target: string) => canonicalRoute(target) ?? assert.fail(target);

/** The status for a route; `silent` if the witness says nothing. */
function statusOf(target: string, facts: Facts | FactsOptions = {}, nowMs = 0): number | 'silent' {
  return (
    judge(route(target), 'keys' in facts && 'name' in facts ? facts : factsOf(facts), TTL_MS, nowMs)?.status ?? 'silent'
  );
}

const REPLICA: FactsOptions = { leader: 'node2', member: REPLICA_MEMBER };
const STANDBY_CLUSTER = { ttl: 30, loop_wait: 10, retry_timeout: 10, standby_cluster: { host: '10.0.0.9' } };
const SYNC_MODE = { ttl: 30, synchronous_mode: true };
const QUORUM_MODE = { ttl: 30, synchronous_mode: 'quorum' };
const inSync = (names: string) => ({ sync: JSON.stringify({ leader: 'node2', sync_standby: names }) });

describe('a verdict of the witness', () => {
  it('is Patroni’s answer for each kind of node and each route', () => {
    const rows: readonly (readonly [string, FactsOptions, Readonly<Record<string, number | 'silent'>>])[] = [
      [
        'a primary',
        {},
        {
          '/primary': 200,
          '/': 200,
          '/master': 200,
          '/read-write': 200,
          '/leader': 200,
          '/standby-leader': 503,
          '/replica': 503,
          '/read-only': 200,
          '/sync': 503,
          '/async': 503,
          '/quorum': 503,
          '/read-only-sync': 200,
          '/read-only-quorum': 200,
          '/health': 200,
        },
      ],
      [
        'a primary before 4.0',
        { member: { ...PRIMARY_MEMBER, role: 'master', version: '3.0.2' } },
        { '/primary': 200 },
      ],
      [
        'a replica',
        REPLICA,
        {
          '/primary': 503,
          '/leader': 503,
          '/standby-leader': 503,
          '/replica': 200,
          '/read-only': 200,
          '/sync': 503,
          '/async': 200,
          '/quorum': 503,
          '/read-only-sync': 503,
          '/read-only-quorum': 503,
          '/health': 200,
        },
      ],
      [
        'a replica before 4.0, where /read-only-quorum is /read-only',
        { ...REPLICA, member: { ...REPLICA_MEMBER, version: '3.3.0' } },
        { '/read-only-quorum': 200, '/quorum': 503, '/replica': 200, '/async': 200 },
      ],
      [
        'a node without a leader in the cluster',
        { leader: undefined, member: REPLICA_MEMBER },
        { '/primary': 503, '/replica': 200, '/read-only': 200 },
      ],
      [
        'a synchronous standby',
        { ...REPLICA, config: SYNC_MODE, keys: inSync('node3,NODE1') },
        { '/sync': 200, '/async': 503, '/quorum': 503, '/read-only-sync': 200, '/replica': 200 },
      ],
      [
        'a replica that is not synchronous, in a synchronous cluster',
        { ...REPLICA, config: SYNC_MODE, keys: inSync('node3') },
        { '/sync': 503, '/async': 200, '/read-only-sync': 503 },
      ],
      [
        'a replica in the sync key of a cluster that is not synchronous any more',
        { ...REPLICA, keys: inSync('node1') },
        { '/sync': 503, '/async': 200 },
      ],
      [
        'a standby of the quorum',
        { ...REPLICA, config: QUORUM_MODE, keys: inSync('node1') },
        { '/quorum': 200, '/sync': 503, '/async': 503, '/read-only-quorum': 200, '/read-only-sync': 503 },
      ],
      [
        'a replica under a Patroni that knows no quorum',
        { ...REPLICA, config: QUORUM_MODE, keys: inSync('node1'), member: { ...REPLICA_MEMBER, version: '3.3.8' } },
        { '/quorum': 503, '/sync': 503, '/async': 200 },
      ],
      [
        'a standby leader',
        { config: STANDBY_CLUSTER, member: { ...REPLICA_MEMBER, role: 'standby_leader' } },
        {
          '/primary': 503,
          '/leader': 200,
          '/standby-leader': 200,
          '/replica': 503,
          '/read-only': 200,
          '/read-only-sync': 200,
        },
      ],
      [
        'a replica of a standby cluster',
        { ...REPLICA, config: STANDBY_CLUSTER },
        { '/primary': 503, '/standby-leader': 503, '/leader': 503, '/replica': 200, '/read-only': 200 },
      ],
      [
        'a replica that starts',
        { ...REPLICA, member: { ...REPLICA_MEMBER, state: 'starting' } },
        { '/replica': 503, '/read-only': 503, '/health': 503 },
      ],
      [
        'a replica with the tag noloadbalance',
        { ...REPLICA, member: { ...REPLICA_MEMBER, tags: { noloadbalance: true } } },
        { '/replica': 503, '/read-only': 503, '/async': 503, '/health': 200 },
      ],
      ['a node without a member key', { leader: 'node2', member: undefined }, { '/replica': 503, '/primary': 503 }],
      [
        'a primary whose PostgreSQL refuses connections',
        { postgres: 'refuses' },
        { '/primary': 503, '/leader': 503, '/read-only': 503, '/health': 503, '/replica': 503 },
      ],
      [
        'a primary whose PostgreSQL does not answer in time',
        { postgres: 'silent' },
        { '/primary': 'silent', '/health': 'silent', '/replica': 503 },
      ],
      ['a primary whose PostgreSQL is not asked', { postgres: 'not-asked' }, { '/primary': 200, '/health': 200 }],
      [
        'a node without a configuration in the DCS',
        { config: undefined },
        { '/primary': 'silent', '/health': 'silent' },
      ],
      [
        'a node whose configuration Patroni refuses',
        { config: { ttl: 'long' } },
        { '/primary': 'silent', '/replica': 'silent' },
      ],
    ];
    for (const [node, facts, statuses] of rows) {
      for (const [target, status] of Object.entries(statuses)) {
        assert.equal(statusOf(target, facts), status, `${node}: ${target}`);
      }
    }
  });

  it('does not exist for the routes that only Patroni itself can answer', () => {
    for (const target of [
      '/liveness',
      '/readiness',
      '/readiness?mode=write',
      '/patroni',
      '/cluster',
      '/history',
      '/config',
      '/metrics',
    ]) {
      assert.equal(isWitnessed(route(target)), false, target);
      assert.equal(statusOf(target), 'silent', target);
    }
  });

  it('reads lag, tags and the replication state as Patroni does', () => {
    const member = { ...REPLICA_MEMBER, tags: { zone: 'a', backup: true, weight: 5 } };
    const behind = { ...member, replay_lsn: 67_108_864 - 20 * 1024 * 1024 };
    const older = { ...behind, replay_lsn: undefined, xlog_location: behind.replay_lsn };
    const received = { ...behind, replay_lsn: undefined }; // before 4.1, the key has only what was received
    const rows: readonly (readonly [string, Readonly<Record<string, unknown>>, number | 'silent'])[] = [
      ['/replica?lag=10MB', member, 200],
      ['/replica?lag=10MB', behind, 503],
      ['/replica?lag=20MB', behind, 200],
      ['/replica?lag=20971519', behind, 503],
      ['/replica?lag=10MB', older, 503],
      ['/replica?lag=10MB', received, 'silent'],
      ['/replica?lag=64MB', received, 200],
      ['/replica?lag=much', received, 200],
      ['/replica', received, 200],
      ['/replica?lag=0x10', member, 'silent'],
      ['/replica?lag=much', behind, 200],
      ['/read-only?lag=10MB', behind, 503],
      ['/replica?tag_zone=a', member, 200],
      ['/replica?tag_zone=b', member, 503],
      ['/replica?tag_other=a', member, 503],
      ['/replica?tag_backup=true', member, 200],
      ['/replica?tag_backup=True', member, 503],
      ['/replica?tag_weight=5&tag_zone=a', member, 200],
      ['/health?tag_zone=b', member, 503],
      ['/replica?replication_state=streaming', member, 200],
      ['/replica?replication_state=streaming', { ...member, replication_state: 'in archive recovery' }, 'silent'],
    ];
    for (const [target, of, status] of rows) {
      assert.equal(statusOf(target, { leader: 'node2', member: of }), status, `${target} ${JSON.stringify(of)}`);
    }
    assert.equal(statusOf('/primary?tag_zone=b', {}), 200, 'leader routes ignore tags');
  });

  it('keeps T - L - R of the lease for load balancers, and lasts no longer than cache.ttl', () => {
    const left = (remainingS: number, more: FactsOptions = {}): number | undefined => {
      const verdict = judge(route('/primary'), factsOf({ askedAtMs: 1000, remainingS, ...more }), TTL_MS, 1000);
      return verdict?.status === 200 ? verdict.endsAtMs - 1000 : undefined;
    };
    assert.equal(left(30), 4000);
    assert.equal(left(14), 4000);
    assert.equal(left(13), 3000);
    assert.equal(left(11), 1000);
    assert.equal(left(10), undefined, 'the 200 has ended');
    assert.equal(left(0), undefined);
    // 4.1.4 lowers loop_wait to 4, so that 4 + 2 * 8 <= 20: T - L - R is 8 s
    assert.equal(left(10, { grantedS: 20, config: { ttl: 20, loop_wait: 10, retry_timeout: 8 } }), 2000);
    // 3.0.2 uses them as written, which breaks the rule: half of the time from L to T is kept, (20 - 10) / 2 s
    const member = { ...PRIMARY_MEMBER, version: '3.0.2' };
    assert.equal(left(10, { grantedS: 20, config: { ttl: 20, loop_wait: 10, retry_timeout: 8 }, member }), 4000);
    assert.equal(left(8, { grantedS: 20, config: { ttl: 20, loop_wait: 10, retry_timeout: 8 }, member }), 3000);
  });

  it('says nothing where the rest of the lease is not known', () => {
    const leader = { value: 'node1' };
    assert.equal(statusOf('/primary', { keys: { leader } }), 'silent');
    assert.equal(statusOf('/leader', { keys: { leader } }), 'silent');
    assert.equal(
      statusOf('/replica', { leader: 'node2', keys: { member: { value: JSON.stringify(REPLICA_MEMBER) } } }),
      'silent',
    );
  });

  it('ends the 200 of a replica by the lease of its member key', () => {
    const left = (remainingS: number, config: object) =>
      judge(route('/replica'), factsOf({ ...REPLICA, remainingS, config: { ...config } }), TTL_MS, 0)?.endsAtMs;
    // T - L - R is 10, and one more loop_wait is allowed
    assert.equal(left(2, { ttl: 30, loop_wait: 10, retry_timeout: 10 }), 2000);
    assert.equal(statusOf('/replica', { ...REPLICA, remainingS: 0 }), 503);
    // T - L - R is 22
    assert.equal(left(20, { ttl: 30, loop_wait: 5, retry_timeout: 3 }), 3000);
  });
});

describe('the end of a 200 by the witness', () => {
  /** A leader key as etcd has it: renewed at some moments, extended at each change of etcd's leader, perhaps released. */
  const history = fc.record({
    ttlS: fc.integer({ min: 20, max: 90 }),
    loopWaitS: fc.integer({ min: 1, max: 40 }),
    retryS: fc.integer({ min: 3, max: 40 }),
    gapsMs: fc.array(fc.integer({ min: 1, max: 60_000 }), { maxLength: 8 }),
    changes: fc.array(fc.integer({ min: 0, max: 200_000 }), { maxLength: 3 }),
    releasedAtMs: fc.option(fc.integer({ min: 0, max: 200_000 })),
    readsMs: fc.array(fc.integer({ min: 0, max: 250_000 }), { minLength: 1, maxLength: 30 }),
    /** What our clock shows when etcd's shows 0. */
    offsetMs: fc.integer({ min: -1e9, max: 1e9 }),
    /** From the sending of a read to the moment at which etcd answers it. */
    delayMs: fc.integer({ min: 0, max: 2000 }),
    version: fc.constantFrom('3.0.2', '3.1.0', '3.3.0', '4.0.0', '4.1.4', undefined),
  });

  it('is never later than the end of the key less T - L - R, whatever happens to the key', () => {
    fc.assert(
      fc.property(history, (past) => {
        const { ttlS, loopWaitS, retryS, gapsMs, changes, releasedAtMs, readsMs, offsetMs, delayMs, version } = past;
        const config = { ttl: ttlS, loop_wait: loopWaitS, retry_timeout: retryS };
        const ttlMs = ttlS * 1000;
        // the key: it lapses when no renewal comes in time; Patroni renews only a key that it still holds
        let endMs = ttlMs;
        let atMs = 0;
        const ends: (readonly [fromMs: number, endMs: number])[] = [[0, endMs]];
        const events = [...gapsMs.map((gapMs) => (atMs += gapMs)), ...changes].sort((a, b) => a - b);
        for (const eventMs of events) {
          if (eventMs >= endMs || (releasedAtMs !== null && eventMs >= releasedAtMs)) break;
          endMs = Math.max(endMs, eventMs + ttlMs);
          ends.push([eventMs, endMs]);
        }
        const goneAtMs = Math.min(endMs, releasedAtMs ?? Infinity);
        for (const readMs of readsMs) {
          const knownEndMs = [...ends].reverse().find(([fromMs]) => fromMs <= readMs)?.[1] ?? ttlMs;
          const isHeld = readMs < goneAtMs;
          const facts = factsOf({
            askedAtMs: offsetMs + readMs - delayMs,
            leader: isHeld ? 'node1' : undefined,
            remainingS: Math.floor((knownEndMs - readMs) / 1000),
            grantedS: ttlS,
            config,
            member: { ...PRIMARY_MEMBER, version },
          });
          const nowMs = offsetMs + readMs;
          const verdict = judge(route('/primary'), facts, TTL_MS, nowMs);
          if (!isHeld) {
            assert.equal(verdict?.status, 503, 'the key is gone');
            continue;
          }
          if (verdict?.status !== 200) continue;
          const keptMs = keptOf(ttlS, loopWaitS, retryS, version) * 1000;
          // a release is voluntary: the next read notices it; only a lapse comes by itself
          assert.ok(
            verdict.endsAtMs - offsetMs <= endMs - keptMs,
            `${verdict.endsAtMs - offsetMs} > ${endMs} - ${keptMs}`,
          );
          assert.ok(verdict.endsAtMs <= facts.askedAtMs + TTL_MS);
          assert.ok(keptMs >= 0);
        }
      }),
      { numRuns: 2000 },
    );
  });

  /** T - L - R with the timings in force, in seconds, written once more and apart from the program. */
  function keptOf(ttl: number, loopWait: number, retry: number, version: string | undefined): number {
    const isAdjusted = version !== undefined && (version.startsWith('4') || version.startsWith('3.3'));
    if (!isAdjusted) return loopWait + 2 * retry > ttl ? Math.max(0, ttl - loopWait) / 2 : ttl - loopWait - retry;
    const least = Math.max(retry, 3);
    if (1 + 2 * least > ttl) return ttl - 1 - Math.floor((ttl - 1) / 2);
    return ttl - Math.min(loopWait, ttl - 2 * least) - least;
  }
});
