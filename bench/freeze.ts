import { setTimeout as sleep } from 'node:timers/promises';
import { nowMs } from '../test/support/monotonic.js';
import { startControl } from './control.js';
import type { Figure, Row } from './figure.js';
import { type Sample, checkWith, outcomeOf } from '../test/support/checks.js';
import { latencies, latencyMeasures } from './latency.js';
import { DEFAULT_PACE, startBenchService } from './processes.js';
import { tally } from './statistics.js';
import { startBenchUpstream } from './upstream.js';

const HEALTHY_MS = 10_000;
const FROZEN_MS = 10_000;
const THAWED_MS = 3_000;
const ROUTES = ['/primary', '/replica'];

/** A check every 5 ms, and the way of a poll and of a reply: what recovery is measured with. */
const RESOLUTION_MS = 20;

/** Patroni's API stops answering and comes back. */
export const freeze: Figure = {
  name: 'freeze',
  title:
    '200 checks a second, each on a fresh connection and timed from when it was due, while the upstream is stopped ' +
    `(SIGSTOP) for ${FROZEN_MS / 1000} s; ttl ${DEFAULT_PACE.ttl} s, interval ${DEFAULT_PACE.interval} s.`,
  async run() {
    const upstream = await startBenchUpstream();
    const control = await startControl();
    const service = await startBenchService(upstream.port, DEFAULT_PACE);
    try {
      const ports = [service.port, control.port];
      const durationMs = HEALTHY_MS + FROZEN_MS + THAWED_MS;
      const load = checkWith({ kind: 'paced', ports, routes: ROUTES, perSecond: 200, durationMs });
      load.catch(() => undefined); // awaited below
      await sleep(HEALTHY_MS);
      upstream.freeze();
      const frozenMs = nowMs();
      await sleep(FROZEN_MS);
      const thawedMs = nowMs();
      upstream.thaw();
      const all = await load;
      const [ofService = [], ofControl = []] = ports.map((port) => all.filter((sample) => sample.port === port));
      return rowsOf(ofService, ofControl, frozenMs, thawedMs);
    } finally {
      await service.close();
      await control.close();
      await upstream.close();
    }
  },
};

function rowsOf(
  ofService: readonly Sample[],
  ofControl: readonly Sample[],
  frozenMs: number,
  thawedMs: number,
): readonly Row[] {
  const phases = (samples: readonly Sample[]): Record<'healthy' | 'frozen' | 'thawed', readonly Sample[]> => ({
    healthy: samples.filter(({ dueMs }) => dueMs < frozenMs),
    frozen: samples.filter(({ dueMs }) => dueMs >= frozenMs && dueMs < thawedMs),
    thawed: samples.filter(({ dueMs }) => dueMs >= thawedMs),
  });
  const { healthy, frozen, thawed } = phases(ofService);
  const control = phases(ofControl);
  const last200s = frozen.filter(({ status }) => status === 200);
  const ratio = (before: readonly Sample[], after: readonly Sample[]): number =>
    latencies(after).p99 / latencies(before).p99;
  const ttlMs = DEFAULT_PACE.ttl * 1000;
  return [
    phaseRow('healthy', healthy, control.healthy),
    phaseRow('frozen', frozen, control.frozen),
    phaseRow('thawed', thawed, control.thawed),
    {
      label: 'frozen against healthy',
      measures: [
        { name: 'p99 ratio', value: ratio(healthy, frozen), digits: 2 },
        { name: "control's p99 ratio", value: ratio(control.healthy, control.frozen), digits: 2 },
        // Counted to when the check was sent, the reply being decided after: what is over is over for certain.
        { name: 'last 200 after its poll', value: largest(last200s, knownAgeMs), unit: 'ms', below: ttlMs },
        { name: 'highest Age', value: largest(frozen, ({ ageS = 0 }) => ageS), below: DEFAULT_PACE.ttl },
        {
          name: 'from thaw to first 200',
          value: Math.max(...ROUTES.map((route) => firstGood(thawed, route) - thawedMs)),
          unit: 'ms',
          atMost: DEFAULT_PACE.interval * 1000 + RESOLUTION_MS,
        },
      ],
    },
  ];
}

function phaseRow(label: string, samples: readonly Sample[], control: readonly Sample[]): Row {
  const others = samples.filter(({ status }) => status !== 200 && status !== 503);
  return {
    label,
    measures: [
      { name: 'replies', value: tally(samples.map(outcomeOf)) },
      { name: 'neither 200 nor 503', value: others.length, atMost: 0 },
      ...latencyMeasures(samples, control),
    ],
  };
}

function knownAgeMs({ sentMs, askedMs = NaN }: Sample): number {
  return sentMs - askedMs;
}

function largest(samples: readonly Sample[], of: (sample: Sample) => number): number {
  return Math.max(...samples.map(of));
}

/** When the first 200 came; NaN if none did. */
function firstGood(samples: readonly Sample[], route: string): number {
  return samples.find((sample) => sample.route === route && sample.status === 200)?.endMs ?? NaN;
}
