import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../test/support/wait.js';
import { nowMs } from '../test/support/monotonic.js';
import type { Figure, Row } from './figure.js';
import { checkWith } from '../test/support/checks.js';
import { DEFAULT_PACE, startBenchService } from './processes.js';
import { type BenchUpstream, type UpstreamConnection, startBenchUpstream } from './upstream.js';

const RATES = [1, 10, 100, 1_000];
const INTERVALS = 5;
const ROUTES = ['/primary', '/master', '/replica', '/read-write', '/read-only'];
const intervalMs = DEFAULT_PACE.interval * 1000;

/** However many ask, Patroni is asked as often. */
export const loadAtPatroni: Figure = {
  name: 'load-at-patroni',
  title: `What reaches the upstream during ${INTERVALS} intervals of ${DEFAULT_PACE.interval} s, by checks a second over the five default routes.`,
  async run() {
    const upstream = await startBenchUpstream();
    const service = await startBenchService(upstream.port, DEFAULT_PACE);
    try {
      const rows: Row[] = [];
      for (const perSecond of RATES) {
        await halfWayBetweenPolls(upstream);
        const startedMs = nowMs();
        const endsMs = startedMs + INTERVALS * intervalMs;
        const load = { ports: [service.port], routes: ROUTES, perSecond, durationMs: INTERVALS * intervalMs };
        const [samples] = await Promise.all([checkWith({ kind: 'paced', ...load }), sleep(endsMs - nowMs())]);
        const seen = (await upstream.connectionsSince(startedMs)).filter(
          ({ askedMs }) => askedMs >= startedMs && askedMs < endsMs,
        );
        rows.push(rowOf(perSecond, samples.filter(({ status }) => status !== 200).length, seen));
      }
      return rows;
    } finally {
      await service.close();
      await upstream.close();
    }
  },
};

/** A window that begins there holds whole intervals. */
async function halfWayBetweenPolls(upstream: BenchUpstream): Promise<void> {
  const sinceMs = nowMs();
  const asked = await eventually(
    'the next poll',
    5_000,
    async () => (await upstream.connectionsSince(sinceMs)).find(({ askedMs }) => askedMs > sinceMs),
    10,
  );
  await sleep(asked.askedMs + intervalMs / 2 - nowMs());
}

function rowOf(perSecond: number, failed: number, seen: readonly UpstreamConnection[]): Row {
  const routes = [...new Set(seen.map(({ route }) => route))].sort();
  return {
    label: `${perSecond.toLocaleString('en')} checks a second`,
    measures: [
      { name: 'checks not answered 200', value: failed, atMost: 0 },
      { name: 'requests at the upstream', value: seen.length, atMost: 3 * INTERVALS },
      { name: 'an interval', value: seen.length / INTERVALS, digits: 2 },
      { name: 'for', value: routes.join(' ') },
    ],
  };
}
