import type { Measure } from './figure.js';
import { type Sample, latencyMs } from '../../test/support/clients/checks.js';
import { quantile } from './statistics.js';

/** 50th and 99th percentile and maximum of {@link latencyMs}. */
export interface Latencies {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** NaN if there are no samples. */
export function latencies(samples: readonly Sample[]): Latencies {
  const all = samples.map(latencyMs);
  return { p50: quantile(all, 0.5), p99: quantile(all, 0.99), max: quantile(all, 1) };
}

/** The service's p99 may be this much above the control's: the service does more for a reply, and also has other work. */
const CONTROL_FACTOR = 2;
const CONTROL_EXTRA_MS = 5;

/** A delay that a load balancer notices. */
const LONG_MS = 50;

/**
 * How long load balancers waited for the service, and for the control at the same moments. The bound is relative to the
 * control, because on a busy machine both are slow.
 */
export function latencyMeasures(samples: readonly Sample[], control: readonly Sample[]): readonly Measure[] {
  const own = latencies(samples);
  const base = latencies(control);
  const quick = new Set(control.filter((sample) => latencyMs(sample) <= LONG_MS).map(({ dueMs }) => dueMs));
  const stalls = samples.filter((sample) => latencyMs(sample) > LONG_MS && quick.has(sample.dueMs));
  return [
    { name: 'p50', value: own.p50, unit: 'ms', digits: 2 },
    { name: 'p99', value: own.p99, unit: 'ms', digits: 2, atMost: round(base.p99 * CONTROL_FACTOR + CONTROL_EXTRA_MS) },
    { name: 'max', value: own.max, unit: 'ms', digits: 2 },
    { name: "control's p50", value: base.p50, unit: 'ms', digits: 2 },
    { name: "control's p99", value: base.p99, unit: 'ms', digits: 2 },
    { name: "control's max", value: base.max, unit: 'ms', digits: 2 },
    { name: `over ${LONG_MS} ms, and the control not`, value: stalls.length },
  ];
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
