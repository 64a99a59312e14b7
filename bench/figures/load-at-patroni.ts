import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../test/support/time/wait.js';
import { nowMs } from '../../test/support/time/monotonic.js';
import type { Figure, Measure, Row } from '../support/figure.js';
import { checkFast } from '../support/h2load.js';
import { cachingPeers, patroniglue, withPeers } from '../peers/all.js';
import type { RunningPeer } from '../peers/peer.js';
import { DEFAULT_PACE } from '../support/processes.js';
import { type BenchUpstream, startBenchUpstream } from '../support/upstream.js';

const RATES = [1, 10, 100, 1_000, 5_000];
const INTERVALS = 5;
const ROUTES = ['/primary', '/master', '/replica', '/read-write', '/read-only'];
const intervalMs = DEFAULT_PACE.interval * 1000;

/** How much more may arrive with more checks. */
const CONSTANT_WITHIN = 0.05;

/** However many ask, Patroni is asked as often. */
export const loadAtPatroni: Figure = {
  name: 'load-at-patroni',
  title:
    `Requests a second at the upstream, by checks a second over the five default routes on fresh connections, for ` +
    `${(INTERVALS * intervalMs) / 1000} s each. Whoever checks Patroni itself has as many as checks.`,
  async run() {
    const upstream = await startBenchUpstream();
    try {
      const rows: Row[] = [];
      for (const peer of cachingPeers()) {
        rows.push(await withPeers([peer], { upstreamPort: upstream.port }, ([running]) => rowOf(running, upstream)));
      }
      return { rows };
    } finally {
      await upstream.close();
    }
  },
};

async function rowOf(peer: RunningPeer | undefined, upstream: BenchUpstream): Promise<Row> {
  if (peer === undefined) throw new Error('no peer was started');
  const isOurs = peer.name === patroniglue.name;
  const measures: Measure[] = [];
  let failed = 0;
  let first: number | undefined;
  for (const perSecond of RATES) {
    if (isOurs) await halfWayBetweenPolls(upstream);
    else await sleep(1000);
    const { seen, bad } = await checkFor(peer, perSecond, upstream);
    failed += bad;
    first ??= seen;
    const bounds = isOurs && { atMost: (first * (1 + CONSTANT_WITHIN)) / INTERVALS };
    measures.push({ name: `at ${perSecond.toLocaleString('en')}`, value: seen / INTERVALS, digits: 1, ...bounds });
  }
  return {
    label: peer.name,
    measures: [...measures, { name: 'checks not 200', value: failed, ...(isOurs && { atMost: 0 }) }],
  };
}

async function checkFor(
  { port }: RunningPeer,
  perSecond: number,
  upstream: BenchUpstream,
): Promise<{ seen: number; bad: number }> {
  const startedMs = nowMs();
  const durationMs = INTERVALS * intervalMs;
  const share = { port, perSecond: perSecond / ROUTES.length, durationMs };
  const loads = ROUTES.map((route) => checkFast({ ...share, route }));
  const [results] = await Promise.all([Promise.all(loads), sleep(startedMs + durationMs - nowMs())]);
  const seen = (await upstream.connectionsSince(startedMs)).filter(
    ({ askedMs }) => askedMs >= startedMs && askedMs < startedMs + durationMs,
  );
  const bad = results.reduce((sum, { checks, good }) => sum + checks - good, 0);
  return { seen: seen.length, bad };
}

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
