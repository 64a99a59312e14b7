import { nowMs } from './clock.js';
import { startControl } from './control.js';
import type { Figure, Row } from './figure.js';
import { type Sample, checkWith, outcomeOf } from './generator.js';
import { latencyMeasures } from './latency.js';
import { DEFAULT_PACE, startBenchService } from './processes.js';
import { tally } from './statistics.js';
import { startBenchUpstream } from './upstream.js';

const KNOWN = ['/primary', '/replica', '/read-only'];
const PER_SECOND = 200;
const FLOOD_PER_SECOND = 2_000;
const SECONDS = 10;
const LEARNED = 16;

const FLOODS: readonly (readonly [label: string, routes: readonly string[]])[] = [
  ['nobody', []],
  [`${FLOOD_PER_SECOND.toLocaleString('en')} a second for /primary`, ['/primary']],
  [
    `${FLOOD_PER_SECOND.toLocaleString('en')} a second, each for another lag`,
    Array.from({ length: FLOOD_PER_SECOND * SECONDS }, (_, lag) => `/replica?lag=${lag}`),
  ],
];

/** Whoever varies a query harms neither those who ask for what is known, nor Patroni. */
export const distinctQueries: Figure = {
  name: 'distinct-queries',
  title: `${PER_SECOND} checks a second of the default routes during ${SECONDS} s, while somebody else asks, on fresh connections too.`,
  async run() {
    const upstream = await startBenchUpstream();
    const control = await startControl();
    const service = await startBenchService(upstream.port, DEFAULT_PACE);
    const durationMs = SECONDS * 1000;
    const flood = (routes: readonly string[]): Promise<readonly Sample[]> =>
      routes.length === 0
        ? Promise.resolve([])
        : checkWith({ kind: 'paced', ports: [service.port], routes, perSecond: FLOOD_PER_SECOND, durationMs });
    try {
      const rows: Row[] = [];
      for (const [label, routes] of FLOODS) {
        const startedMs = nowMs();
        const good = { ports: [service.port, control.port], routes: KNOWN, perSecond: PER_SECOND, durationMs };
        const [samples, flooded] = await Promise.all([checkWith({ kind: 'paced', ...good }), flood(routes)]);
        const polls = await upstream.connectionsSince(startedMs);
        const intervals = (nowMs() - startedMs) / 1000 / DEFAULT_PACE.interval;
        const own = samples.filter(({ port }) => port === service.port);
        rows.push({
          label,
          measures: [
            ...latencyMeasures(
              own,
              samples.filter(({ port }) => port === control.port),
            ),
            { name: 'not 200', value: own.filter(({ status }) => status !== 200).length, atMost: 0 },
            { name: 'the other got', value: tally(flooded.map(outcomeOf)) || '-' },
            {
              name: 'routes polled',
              value: new Set(polls.map(({ route }) => route)).size,
              atMost: KNOWN.length + LEARNED,
            },
            { name: 'polls', value: polls.length, atMost: (KNOWN.length + LEARNED) * Math.ceil(intervals + 1) },
          ],
        });
      }
      return rows;
    } finally {
      await service.close();
      await control.close();
      await upstream.close();
    }
  },
};
