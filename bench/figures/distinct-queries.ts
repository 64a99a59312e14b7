import { nowMs } from '../../test/support/time/monotonic.js';
import type { Figure, Row } from '../support/figure.js';
import { type Sample, checkWith, outcomeOf } from '../../test/support/clients/checks.js';
import { latencies } from '../support/latency.js';
import { nodeHttp } from '../peers/constant.js';
import { DEFAULT_PACE, startBenchService } from '../support/processes.js';
import { tally } from '../support/statistics.js';
import { startBenchUpstream } from '../support/upstream.js';

const KNOWN = ['/primary', '/replica', '/read-only'];
const LEARNED = 16;
const PER_SECOND = 200;
const FLOOD_PER_SECOND = 2_000;
const SECONDS = 10;

const DISTINCT = Array.from({ length: FLOOD_PER_SECOND * SECONDS }, (_, lag) => `/replica?lag=${lag}`);
const perSecond = `${FLOOD_PER_SECOND.toLocaleString('en')} a second`;
const FLOODS: readonly { readonly label: string; readonly routes: readonly string[]; readonly most: number }[] = [
  { label: 'nobody', routes: [], most: KNOWN.length },
  { label: `${perSecond} for /primary`, routes: ['/primary'], most: KNOWN.length },
  { label: `${perSecond}, each for another lag`, routes: DISTINCT, most: KNOWN.length + LEARNED },
];

/** A flood of new questions may be so much harder on the checks than one of known ones: see the row before. */
const DISTINCT_FACTOR = 2;

/** A client that varies a query harms neither the clients of known routes nor Patroni. */
export const distinctQueries: Figure = {
  name: 'distinct-queries',
  title: `${PER_SECOND} checks a second of the default routes for ${SECONDS} s, while somebody else asks too, all on fresh connections.`,
  async run() {
    const upstream = await startBenchUpstream();
    const control = await nodeHttp.start({ upstreamPort: 0 });
    const service = await startBenchService(upstream.port, DEFAULT_PACE);
    const durationMs = SECONDS * 1000;
    const flood = (routes: readonly string[]): Promise<readonly Sample[]> =>
      routes.length === 0
        ? Promise.resolve([])
        : checkWith({ kind: 'paced', ports: [service.port], routes, perSecond: FLOOD_PER_SECOND, durationMs });
    try {
      const rows: Row[] = [];
      let knownP99 = NaN;
      for (const { label, routes, most } of FLOODS) {
        const startedMs = nowMs();
        const ports = [service.port, control.port];
        const load = { kind: 'paced', ports, routes: KNOWN, perSecond: PER_SECOND, durationMs } as const;
        const [samples, flooded] = await Promise.all([checkWith(load), flood(routes)]);
        const polls = await upstream.connectionsSince(startedMs);
        const intervals = Math.ceil((nowMs() - startedMs) / 1000 / DEFAULT_PACE.interval) + 1;
        const own = samples.filter(({ port }) => port === service.port);
        const beside = latencies(samples.filter(({ port }) => port === control.port));
        const { p50, p99, max } = latencies(own);
        const bound = routes === DISTINCT ? { atMost: Math.round(DISTINCT_FACTOR * knownP99) } : {};
        rows.push({
          label,
          measures: [
            { name: 'p50', value: p50, unit: 'ms', digits: 2 },
            { name: 'p99', value: p99, unit: 'ms', digits: 2, ...bound },
            { name: 'max', value: max, unit: 'ms', digits: 2 },
            { name: "control's p99", value: beside.p99, unit: 'ms', digits: 2 },
            { name: 'not 200', value: own.filter(({ status }) => status !== 200).length, atMost: 0 },
            { name: 'the other got', value: tally(flooded.map(outcomeOf)) || '-' },
            { name: 'routes polled', value: new Set(polls.map(({ route }) => route)).size, atMost: most },
            { name: 'polls', value: polls.length, atMost: most * intervals },
          ],
        });
        knownP99 = p99;
      }
      return { rows };
    } finally {
      await service.close();
      await control.close();
      await upstream.close();
    }
  },
};
