import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { readAt } from '../patroni/snapshot.js';
import type { FailureReason } from '../patroni/types.js';
import type { WitnessRead } from '../witness/types.js';
import { registerCounts } from './counts.js';
import type { MetricSources } from './types.js';

/** The metrics of the witness. They are on the page only if the configuration has a witness. */
export interface WitnessMetrics {
  readonly registry: Registry;
  readonly read: (read: WitnessRead) => void;
}

const READ_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** Makes them, in a registry of their own. */
export function createWitnessMetrics({ witness, witnessedChecks, cache, nowMs }: MetricSources): WitnessMetrics {
  const registry = new Registry();
  const registers = [registry];
  let leaseMs: number | undefined;
  new Gauge({
    name: 'patroniglue_witness_up',
    help: '1 if the last read of the witness succeeded and the last comparison with Patroni agreed, otherwise 0.',
    registers,
    collect() {
      this.set(witness.state()?.kind === 'agrees' ? 1 : 0);
    },
  });
  new Gauge({
    name: 'patroniglue_witness_active',
    help: '1 while patroniglue answers checks of at least one route by the witness, because Patroni does not answer.',
    registers,
    collect() {
      const snapshots = cache.routes().flatMap((route) => cache.latest(route) ?? []);
      const isActive = snapshots.some((latest) => {
        const snapshot = readAt(latest, nowMs());
        return snapshot.kind === 'fresh' && snapshot.witness !== undefined;
      });
      this.set(Number(isActive));
    },
  });
  new Gauge({
    name: 'patroniglue_witness_lease_seconds',
    help: "How long the lease of this node's keys in etcd still lived at the latest read.",
    registers,
    collect() {
      if (leaseMs === undefined) this.remove();
      else this.set(leaseMs / 1000);
    },
  });
  const polls = new Counter<'outcome'>({
    name: 'patroniglue_witness_polls_total',
    help: 'Reads of the witness, by outcome.',
    labelNames: ['outcome'],
    registers,
  });
  const duration = new Histogram({
    name: 'patroniglue_witness_poll_seconds',
    help: 'Time from the beginning of a read of the witness to its end.',
    buckets: READ_BUCKETS_S,
    registers,
  });
  registerCounts(
    registry,
    'patroniglue_witness_checks_total',
    'Answered requests for a route whose reply came from the witness. patroniglue_checks_total counts them as well.',
    'status',
    witnessedChecks,
  );
  return {
    registry,
    read(read) {
      const outcome: 'answered' | FailureReason = read.kind === 'read' ? 'answered' : read.failure.reason;
      polls.inc({ outcome });
      duration.observe((read.endedAtMs - read.askedAtMs) / 1000);
      const { leader, member } = read.kind === 'read' ? read.facts.keys : {};
      leaseMs = (leader?.lease ?? member?.lease)?.remainingMs;
    },
  };
}
