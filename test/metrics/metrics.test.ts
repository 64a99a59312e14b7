import assert from 'node:assert/strict';
import type { WitnessState } from '../../src/witness/types.js';
import { beforeEach, describe, it } from 'node:test';
import { type RouteCounters, createRouteCounters } from '../../src/metrics/route-counters.js';
import { type Breakage, type Tally, createTally } from '../../src/http/broken-connection.js';
import { type Metrics, createMetrics } from '../../src/metrics/metrics.js';
import type { MetricSources } from '../../src/metrics/types.js';
import { answer, refused } from '../support/time/marbles.js';
import { factsOf } from '../support/witness/facts.js';
import type { Snapshot, CanonicalRoute } from '../../src/patroni/types.js';
import type { AgentState } from '../../src/agent-check/types.js';

const [PRIMARY, LAG] = ['/primary', '/replica?lag=10MB'] as CanonicalRoute[] as [CanonicalRoute, CanonicalRoute];
const FRESH: Snapshot = { kind: 'fresh', answer: answer(200), sentAtMs: 1000, freshUntilMs: 5000 };
const PENDING: Snapshot = { kind: 'pending', sinceMs: 0 };

describe('metrics', () => {
  let snapshots: Map<CanonicalRoute, Snapshot>;
  let checks: RouteCounters<number>;
  let witnessedChecks: RouteCounters<number>;
  let witnessState: WitnessState | undefined;
  let agentChecks: RouteCounters<AgentState>;
  let broken: Tally<Breakage>;
  let nowMs: number;
  let safeTtlMs: number | undefined;
  let standbyCluster: boolean | undefined;
  let frozenSinceMs: number | undefined;
  let lastCheckAtMs: Map<CanonicalRoute, number>;
  let metrics: Metrics;

  beforeEach(() => {
    snapshots = new Map<CanonicalRoute, Snapshot>([
      [PRIMARY, FRESH],
      [LAG, PENDING],
    ]);
    checks = createRouteCounters();
    witnessedChecks = createRouteCounters();
    witnessState = undefined;
    agentChecks = createRouteCounters();
    broken = createTally(['malformed', 'silent']);
    nowMs = 3500;
    safeTtlMs = undefined;
    standbyCluster = undefined;
    frozenSinceMs = undefined;
    lastCheckAtMs = new Map();
    const sources: MetricSources = {
      cache: {
        prefetched: [PRIMARY],
        maxLearned: 16,
        routes: () => [...snapshots.keys()],
        latest: (route) => snapshots.get(route),
      },
      nowMs: () => nowMs,
      checks,
      witnessedChecks,
      witness: { state: () => witnessState },
      agentChecks,
      broken,
      connections: { open: 3, max: 900 },
      frozenSinceMs: () => frozenSinceMs,
      droppedLogLines: () => 7,
      openFiles: () => 23,
      lastCheckAtMs: (route) => lastCheckAtMs.get(route),
      startedAtMs: 500,
      cacheTtlMs: () => 4000,
      safeTtlMs: () => safeTtlMs,
      certificateEnds: () => new Map([['patroni', 1_800_000_000_000]]),
      standbyCluster: () => standbyCluster,
    };
    metrics = createMetrics(sources);
  });

  /** The samples of a metric: what is behind its name. */
  async function samples(name: string): Promise<string[]> {
    const lines = String((await metrics.page()).body).split('\n');
    return lines
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .map((line) => line.slice(name.length));
  }

  it('count connections that end before they are a request, by why, from 0', async () => {
    broken.count('silent');
    broken.count('silent');
    assert.deepEqual(await samples('patroniglue_broken_connections_total'), [
      '{reason="malformed"} 0',
      '{reason="silent"} 2',
    ]);
  });

  it('count polls by route and outcome, the usual outcomes from 0 on, with their duration in seconds', async () => {
    metrics.polled(PRIMARY, { kind: 'answered', answer: answer(503), sentAtMs: 0, endedAtMs: 4 });
    metrics.polled(PRIMARY, { kind: 'failed', failure: refused(''), sentAtMs: 0, endedAtMs: 2000 });
    assert.deepEqual(await samples('patroniglue_polls_total'), [
      '{route="/primary",outcome="answered"} 1',
      '{route="/primary",outcome="timed-out"} 0',
      '{route="/primary",outcome="refused"} 1',
    ]);
    assert.deepEqual(await samples('patroniglue_poll_duration_seconds_sum'), ['{route="/primary"} 2.004']);
  });

  it('tell whether this is a standby cluster, once Patroni has said', async () => {
    assert.deepEqual(await samples('patroniglue_standby_cluster'), []);
    standbyCluster = true;
    assert.deepEqual(await samples('patroniglue_standby_cluster'), [' 1']);
    standbyCluster = false;
    assert.deepEqual(await samples('patroniglue_standby_cluster'), [' 0']);
  });

  it('tell when the last check of a route came; since the start, if nobody has asked for a prefetched one', async () => {
    const ages = (): Promise<string[]> => samples('patroniglue_last_check_age_seconds');
    assert.deepEqual(await ages(), ['{route="/primary"} 3']);
    lastCheckAtMs.set(PRIMARY, 3000).set(LAG, 2500);
    assert.deepEqual(await ages(), ['{route="/primary"} 0.5', '{route="/replica?lag=10MB"} 1']);
  });

  it('tell for how long Patroni is frozen, and 0 while it is not', async () => {
    assert.deepEqual(await samples('patroniglue_patroni_frozen_seconds'), [' 0']);
    frozenSinceMs = 1000;
    assert.deepEqual(await samples('patroniglue_patroni_frozen_seconds'), [' 2.5']);
  });

  it('tell of snapshots as they are at the moment of the question', async () => {
    assert.deepEqual(await samples('patroniglue_snapshot_fresh'), [
      '{route="/primary"} 1',
      '{route="/replica?lag=10MB"} 0',
    ]);
    assert.deepEqual(await samples('patroniglue_snapshot_age_seconds'), ['{route="/primary"} 2.5']);
    assert.deepEqual(await samples('patroniglue_snapshot_status'), ['{route="/primary"} 200']);
    nowMs = 5000; // no timer has announced it
    assert.deepEqual(await samples('patroniglue_snapshot_fresh'), [
      '{route="/primary"} 0',
      '{route="/replica?lag=10MB"} 0',
    ]);
  });

  it('count changes of the reply to checks, the usual ones from 0 on', async () => {
    const stale: Snapshot = { kind: 'stale', answer: answer(200), sentAtMs: 1000, sinceMs: 5000 };
    metrics.changed({ kind: 'reply-changed', route: PRIMARY, from: PENDING, to: FRESH, atMs: 0 });
    metrics.changed({ kind: 'reply-changed', route: PRIMARY, from: FRESH, to: stale, atMs: 0 });
    assert.deepEqual(await samples('patroniglue_transitions_total'), [
      '{route="/primary",to="200"} 1',
      '{route="/primary",to="503"} 0',
      '{route="/primary",to="stale"} 1',
    ]);
  });

  it('know nothing of a route that was forgotten: whoever varies a query fills no memory', async () => {
    metrics.polled(LAG, { kind: 'failed', failure: refused(''), sentAtMs: 0, endedAtMs: 1 });
    metrics.changed({ kind: 'reply-changed', route: LAG, from: PENDING, to: FRESH, atMs: 0 });
    checks.count(LAG, 503);
    agentChecks.count(LAG, 'standby');
    snapshots.delete(LAG);
    const told = async (): Promise<readonly string[]> => {
      const lines = String((await metrics.page()).body).split('\n');
      return [...new Set(lines.filter((line) => line.includes('lag=10MB')).map((line) => line.split('{')[0] ?? ''))];
    };
    assert.deepEqual(
      (await told()).filter((name) => name.endsWith('_total')),
      ['polls', 'transitions', 'checks', 'agent_checks'].map((what) => `patroniglue_${what}_total`),
    );
    metrics.changed({ kind: 'route-forgotten', route: LAG });
    assert.deepEqual(await told(), []);
    assert.deepEqual([checks.entries(), agentChecks.entries()], [[], []]);
  });

  it('tell the rest', async () => {
    checks.count(PRIMARY, 200);
    checks.count('other', 404);
    checks.count(PRIMARY, 200);
    metrics.lagged(30);
    metrics.reloaded({ kind: 'refused', cause: '' });
    metrics.reloaded({ kind: 'unchanged' });
    const expected: Record<string, string[]> = {
      checks_total: ['{route="/primary",status="200"} 2', '{route="other",status="404"} 1'],
      learned_routes: [' 1'],
      learned_routes_limit: [' 16'],
      log_lines_dropped_total: [' 7'],
      open_connections: [' 3'],
      open_connections_limit: [' 900'],
      event_loop_lag_seconds_sum: [' 0.03'],
      reloads_total: ['{result="accepted"} 0', '{result="refused"} 1'],
      cache_ttl_seconds: [' 4'],
      cache_ttl_safe_seconds: [],
      certificate_expiry_timestamp_seconds: ['{certificate="patroni"} 1800000000'],
    };
    for (const [name, values] of Object.entries(expected)) {
      assert.deepEqual(await samples(`patroniglue_${name}`), values, name);
    }
    safeTtlMs = 10_000;
    assert.deepEqual(await samples('patroniglue_cache_ttl_safe_seconds'), [' 10']);
  });

  it('are rendered once for all who ask at the same time', async () => {
    const [first, second] = [metrics.page(), metrics.page()];
    assert.equal(first, second);
    await first;
    assert.notEqual(metrics.page(), first);
  });

  it('have nothing of a witness without one', async () => {
    assert.doesNotMatch(String((await metrics.page()).body), /patroniglue_witness/);
  });

  it('tell whether the witness can be used, whether it answers, and what its reads bring', async () => {
    witnessState = { kind: 'not-compared' };
    const up = (): Promise<string[]> => samples('patroniglue_witness_up');
    assert.deepEqual(await up(), [' 0']);
    witnessState = { kind: 'agrees', connUrl: '' };
    assert.deepEqual(await up(), [' 1']);
    assert.deepEqual(await samples('patroniglue_witness_active'), [' 0']);
    snapshots.set(PRIMARY, { ...FRESH, witness: { source: 'etcd3', why: 'it leads' } });
    assert.deepEqual(await samples('patroniglue_witness_active'), [' 1']);
    nowMs = 5000; // the answer has ended
    assert.deepEqual(await samples('patroniglue_witness_active'), [' 0']);
    const lease = (): Promise<string[]> => samples('patroniglue_witness_lease_seconds');
    assert.deepEqual(await lease(), []);
    metrics.witnessRead({ kind: 'read', facts: factsOf({ remainingS: 27 }), askedAtMs: 0, endedAtMs: 4 });
    assert.deepEqual(await lease(), [' 27']);
    metrics.witnessRead({ kind: 'failed', failure: refused(''), askedAtMs: 0, endedAtMs: 2 });
    assert.deepEqual(await lease(), []);
    assert.deepEqual(await samples('patroniglue_witness_polls_total'), [
      '{outcome="answered"} 1',
      '{outcome="refused"} 1',
    ]);
    assert.deepEqual(await samples('patroniglue_witness_poll_seconds_sum'), [' 0.006']);
    witnessedChecks.count('/primary', 200);
    assert.deepEqual(await samples('patroniglue_witness_checks_total'), ['{route="/primary",status="200"} 1']);
    metrics.changed({ kind: 'route-forgotten', route: PRIMARY });
    assert.deepEqual(await samples('patroniglue_witness_checks_total'), []);
  });
});
