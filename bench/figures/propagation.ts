import { setTimeout as sleep } from 'node:timers/promises';
import { type Check, checkPorts } from '../support/checks.js';
import type { Figure, Picture, Row } from '../support/figure.js';
import { cachingPeers, patroniglue, withPeers } from '../peers/all.js';
import { draw } from '../support/plot.js';
import { DEFAULT_PACE } from '../support/processes.js';
import { quantile, median } from '../support/statistics.js';
import { type BenchUpstream, startBenchUpstream } from '../support/upstream.js';

const FLIPS = 50;
/** From flip to flip: longer than any of them takes to notice, and another moment between two polls each time. */
const LEAST_MS = 2_200;
const MOST_MS = 3_200;
const PER_SECOND = 200;

/** A check every 5 ms, and the way of a poll and of a reply. */
const RESOLUTION_MS = 20;

/** How soon a change at Patroni is seen. */
export const propagation: Figure = {
  name: 'propagation',
  title:
    `From the moment at which the upstream begins to say something else (200, 503 and back: ${FLIPS} flips at random moments) to the ` +
    `first check that is told so; ${PER_SECOND} checks a second of /primary at each.`,
  async run() {
    const upstream = await startBenchUpstream();
    try {
      return await withPeers(cachingPeers(), { upstreamPort: upstream.port }, async (running) => {
        const ports = running.map(({ port }) => port);
        await checkPorts({ ports, perSecond: PER_SECOND, durationMs: 3000 });
        const end = new AbortController();
        const load = checkPorts({ ports, perSecond: PER_SECOND, durationMs: FLIPS * MOST_MS, end: end.signal });
        load.catch(() => undefined); // awaited below
        const flips = await flip(upstream);
        end.abort();
        const checks = await load;
        const seen = running.map(({ name }, index) => ({ name, delaysMs: delays(flips, checks[index] ?? []) }));
        return { rows: seen.map(rowOf), pictures: [drawPropagation(seen)] };
      });
    } finally {
      await upstream.close();
    }
  },
};

interface Flip {
  readonly atMs: number;
  readonly status: number;
}

async function flip(upstream: BenchUpstream): Promise<readonly Flip[]> {
  const flips: Flip[] = [];
  for (let count = 0; count < FLIPS; count += 1) {
    await sleep(LEAST_MS + Math.random() * (MOST_MS - LEAST_MS));
    const status = count % 2 === 0 ? 503 : 200;
    flips.push({ atMs: await upstream.behave(status === 200 ? 'healthy' : 'status 503'), status });
  }
  await sleep(LEAST_MS);
  return flips;
}

/** For each flip; Infinity for one that was not seen before the next. */
function delays(flips: readonly Flip[], checks: readonly Check[]): readonly number[] {
  return flips.map(({ atMs, status }, index) => {
    const nextMs = flips[index + 1]?.atMs ?? Infinity;
    const told = checks.find((check) => check.dueMs >= atMs && check.endMs < nextMs && check.status === status);
    return (told?.endMs ?? Infinity) - atMs;
  });
}

interface Seen {
  readonly name: string;
  readonly delaysMs: readonly number[];
}

function rowOf({ name, delaysMs }: Seen): Row {
  const bound = name === patroniglue.name ? { atMost: DEFAULT_PACE.interval * 1000 + RESOLUTION_MS } : {};
  return {
    label: name,
    measures: [
      { name: 'median', value: median(delaysMs), unit: 'ms' },
      { name: 'p90', value: quantile(delaysMs, 0.9), unit: 'ms' },
      { name: 'max', value: quantile(delaysMs, 1), unit: 'ms', ...bound },
    ],
  };
}

function drawPropagation(seen: readonly Seen[]): Picture {
  const series = seen.map(({ name, delaysMs }, index) => {
    const sorted = [...delaysMs].sort((a, b) => a - b);
    const steps = sorted.map((delayMs, at) => [delayMs, (100 * (at + 1)) / sorted.length]);
    const width = index === 0 ? 2.5 : 1.5;
    return { type: 'line', step: 'end', name, showSymbol: false, lineStyle: { width }, data: [[0, 0], ...steps] };
  });
  return draw(
    'propagation',
    { width: 900, height: 420 },
    {
      title: { text: 'How soon health checks show a change at Patroni', left: 'center' },
      legend: { top: 38, itemGap: 18, data: seen.map(({ name }) => name) },
      grid: { left: 70, right: 30, top: 90, bottom: 55 },
      xAxis: { type: 'value', min: 0, name: 'ms after the change', nameLocation: 'middle', nameGap: 28 },
      yAxis: {
        type: 'value',
        min: 0,
        max: 100,
        name: '% of the changes are seen',
        nameLocation: 'middle',
        nameGap: 40,
      },
      series,
    },
  );
}
