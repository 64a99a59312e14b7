import { setTimeout as sleep } from 'node:timers/promises';
import { nowMs } from './clock.js';
import type { Figure, Row } from './figure.js';
import { type Sample, checkWith, latencies, outcomeOf } from './generator.js';
import { DEFAULT_PACE, startBenchService } from './processes.js';
import { tally } from './statistics.js';
import { startBenchUpstream } from './upstream.js';

const HEALTHY_MS = 10_000;
const FROZEN_MS = 10_000;
const THAWED_MS = 3_000;
const ROUTES = ['/primary', '/replica'];

/** A check every 5 ms, and the way of a poll and of a reply: what recovery is measured with. */
const RESOLUTION_MS = 20;

/** At 200 checks a second a stall of anything else on the machine can move p99 by so much. */
const NOISE_MS = 1;

/** Patroni's API stops answering and comes back. */
export const freeze: Figure = {
  name: 'freeze',
  title:
    '200 checks a second, each on a fresh connection and timed from when it was due, while the upstream is stopped ' +
    `(SIGSTOP) for ${FROZEN_MS / 1000} s; ttl ${DEFAULT_PACE.ttl} s, interval ${DEFAULT_PACE.interval} s.`,
  async run() {
    const upstream = await startBenchUpstream();
    const service = await startBenchService(upstream.port, DEFAULT_PACE);
    try {
      const durationMs = HEALTHY_MS + FROZEN_MS + THAWED_MS;
      const load = checkWith({ kind: 'paced', port: service.port, routes: ROUTES, perSecond: 200, durationMs });
      load.catch(() => undefined); // awaited below
      await sleep(HEALTHY_MS);
      upstream.freeze();
      const frozenMs = nowMs();
      await sleep(FROZEN_MS);
      const thawedMs = nowMs();
      upstream.thaw();
      return rowsOf(await load, frozenMs, thawedMs);
    } finally {
      await service.close();
      await upstream.close();
    }
  },
};

function rowsOf(samples: readonly Sample[], frozenMs: number, thawedMs: number): readonly Row[] {
  const healthy = samples.filter(({ dueMs }) => dueMs < frozenMs);
  const frozen = samples.filter(({ dueMs }) => dueMs >= frozenMs && dueMs < thawedMs);
  const thawed = samples.filter(({ dueMs }) => dueMs >= thawedMs);
  const last200s = frozen.filter(({ status }) => status === 200);
  const healthyP99 = latencies(healthy).p99;
  const frozenP99 = latencies(frozen).p99;
  const ttlMs = DEFAULT_PACE.ttl * 1000;
  return [
    phaseRow('healthy', healthy),
    phaseRow('frozen', frozen, healthyP99),
    phaseRow('thawed', thawed),
    {
      label: 'frozen against healthy',
      measures: [
        { name: 'p99 ratio', value: frozenP99 / healthyP99, digits: 2 },
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

function phaseRow(label: string, samples: readonly Sample[], p99Before?: number): Row {
  const { p50, p99, max } = latencies(samples);
  const atMost = p99Before === undefined ? {} : { atMost: Math.max(p99Before * 1.2, p99Before + NOISE_MS) };
  return {
    label,
    measures: [
      { name: 'replies', value: tally(samples.map(outcomeOf)) },
      {
        name: 'neither 200 nor 503',
        value: samples.filter(({ status }) => ![200, 503].includes(status)).length,
        atMost: 0,
      },
      { name: 'p50', value: p50, unit: 'ms', digits: 2 },
      { name: 'p99', value: p99, unit: 'ms', digits: 2, ...atMost },
      { name: 'max', value: max, unit: 'ms', digits: 2 },
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
