import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { type LeaderWatch, momentOf200, placesOf, watchLeaders } from '../test/tools/safety/leaders.js';
import { type Cluster, startCluster } from '../test/support/cluster/cluster.js';
import { nowMs } from '../test/support/time/monotonic.js';
import { skipReason } from '../test/support/processes/programs.js';
import { startService } from '../test/support/processes/service.js';
import { eventually } from '../test/support/time/wait.js';
import type { Picture, Row } from './support/figure.js';
import { drawLease } from './figures/lease-picture.js';
import { describeMachine } from './support/machine.js';
import { brokenBounds, toMarkdown } from './support/report.js';

const help = `Usage: node build/bench/lease-guard.js [options]

The lease guard on a real Patroni cluster of two with Patroni's own ttl, loop_wait and retry_timeout (30, 10, 10), sampled all the
while, directly and through a patroniglue at each node. First the HA loop of the primary is made to hang while its API
answers (by a signal's handler in its main thread; and the other node cannot ask it): when does each say 503, and when is the
other node promoted? Then all that must not end a 200: normal running, a slow DCS, one that is away for less than retry_timeout, failsafe mode, pause.

  --minutes N  how long the second part takes (30); 0 leaves it out
  --svg DIR    write the picture of the first part there, lease.svg
  --help       print this

Exit code: 0 when every bound is kept, 1 when one is broken, 2 for wrong usage and where it cannot be found out.
`;

const EVERY_MS = 100;
const [TTL_S, LOOP_WAIT_S, RETRY_TIMEOUT_S] = [30, 10, 10];

/** A part of the time in which no 200 may end. `share` of the minutes that there are. */
interface Calm {
  readonly name: string;
  readonly share: number;
  readonly weather: (cluster: Cluster, forMs: number) => Promise<void>;
}

const CALMS: readonly Calm[] = [
  { name: 'normal running', share: 0.3, weather: (_, forMs) => sleep(forMs) },
  { name: 'each response of the DCS 1 s late', share: 0.15, weather: during({ delayMs: 1000 }) },
  { name: 'each response of the DCS 1.5 s late', share: 0.15, weather: during({ delayMs: 1500 }) },
  { name: 'DCS away for 6 s, again and again', share: 0.1, weather: comingAndGoing(6000, 24_000) },
  { name: 'DCS away for long, in failsafe mode', share: 0.15, weather: during('cut') },
  {
    name: 'paused, and the DCS away',
    share: 0.15,
    weather: async (cluster, forMs) => {
      await cluster.pause();
      await during('cut')(cluster, forMs);
      await sleep(15_000); // for Patroni to come back
      await cluster.resume();
    },
  },
];

function during(weather: Parameters<Cluster['nodes'][number]['links']['dcs']['set']>[0]): Calm['weather'] {
  return async (cluster, forMs) => {
    for (const { links } of cluster.nodes) links.dcs.set(weather);
    await sleep(forMs);
    for (const { links } of cluster.nodes) links.dcs.set('clear');
  };
}

function comingAndGoing(awayMs: number, backMs: number): Calm['weather'] {
  return async (cluster, forMs) => {
    const untilMs = nowMs() + forMs;
    while (nowMs() < untilMs) {
      await during('cut')(cluster, awayMs);
      await sleep(backMs);
    }
  };
}

process.exitCode = await main();

async function main(): Promise<number> {
  const options = readOptions();
  if (typeof options === 'string') {
    process.stderr.write(`${options}\nTry: node build/bench/lease-guard.js --help\n`);
    return 2;
  }
  if (options.help) {
    process.stdout.write(help);
    return 0;
  }
  const reason = await skipReason();
  if (reason !== false) {
    process.stderr.write(`${reason}\n`);
    return 2;
  }
  const title =
    `/primary of a Patroni cluster of two (ttl ${TTL_S} s, loop_wait ${LOOP_WAIT_S} s, retry_timeout ${RETRY_TIMEOUT_S} s), ` +
    `asked every ${EVERY_MS} ms at each Patroni and at the patroniglue beside it.`;
  const hung = { name: 'lease-guard: an HA loop that hangs', title, ...(await watched({}, hang)) };
  const parts = [hung];
  if (options.minutes > 0) {
    const lastingMs = options.minutes * 60_000;
    const calm = await watched({ failsafe_mode: true }, (cluster, watch) => calms(cluster, watch, lastingMs));
    parts.push({ name: 'lease-guard: what must not end a 200', title, ...calm });
  }
  process.stdout.write(`${toMarkdown({ ...describeMachine(), pinned: false }, parts)}\n`);
  if (options.svg !== undefined) {
    mkdirSync(options.svg, { recursive: true });
    for (const { name, svg } of hung.pictures ?? []) writeFileSync(join(options.svg, `${name}.svg`), svg);
  }
  const broken = brokenBounds(parts);
  for (const sentence of broken) process.stderr.write(`bound broken: ${sentence}\n`);
  return broken.length === 0 ? 0 : 1;
}

interface Seen {
  readonly rows: readonly Row[];
  readonly pictures?: readonly Picture[];
}

/** Starts a cluster and a patroniglue at each node, and watches them while `scene` happens. Leaves nothing running. */
async function watched(dynamic: object, scene: (cluster: Cluster, watch: LeaderWatch) => Promise<Seen>): Promise<Seen> {
  const times = { ttl: TTL_S, loop_wait: LOOP_WAIT_S, retry_timeout: RETRY_TIMEOUT_S };
  const cluster = await startCluster({ links: true, hangable: true, dynamic: { ...times, ...dynamic } });
  try {
    const services = await Promise.all(
      cluster.nodes.map(({ restPort }) =>
        startService({ config: { backend: { host: '127.0.0.1', port: restPort } }, flags: [] }),
      ),
    );
    try {
      await cluster.healthy(120_000);
      const watch = watchLeaders(placesOf(cluster, services), EVERY_MS);
      try {
        await sleep(2 * LOOP_WAIT_S * 1000); // Patroni has its second wind: the member keys are there
        return await scene(cluster, watch);
      } finally {
        await watch.stop();
      }
    } finally {
      await Promise.all(services.map((service) => service.close()));
    }
  } finally {
    await cluster.close();
  }
}

async function hang(cluster: Cluster, { said }: LeaderWatch): Promise<Seen> {
  const old = await cluster.primary();
  const next = cluster.nodes.find((node) => node !== old) ?? old;
  const hungMs = nowMs();
  step('the HA loop of the primary hangs');
  old.links.peers.set('cut'); // while they reach its API, they see that its PostgreSQL is a primary still, and wait
  old.hang();
  await eventually(
    'the other node is the primary',
    2 * TTL_S * 1000,
    async () => (await next.rest('/primary')).status === 200,
  );
  await sleep(5000);
  const at = (which: 'first' | 'last', node: string, by: 'patroni' | 'patroniglue'): number =>
    (momentOf200(which, said, node, by) ?? NaN) - hungMs;
  const lastMs = at('last', old.name, 'patroniglue');
  const promotedMs = at('first', next.name, 'patroni');
  const seconds = (name: string, ms: number) => ({ name, value: ms / 1000, unit: 's' as const, digits: 1 });
  const row: Row = {
    label: 'from the hang',
    measures: [
      seconds('last 200 through patroniglue', lastMs),
      seconds('last 200 of Patroni', at('last', old.name, 'patroni')),
      seconds('first 200 of the new primary', promotedMs),
      {
        ...seconds('from our last 200 to that', promotedMs - lastMs),
        atLeast: TTL_S - LOOP_WAIT_S - RETRY_TIMEOUT_S - EVERY_MS / 1000,
      },
    ],
  };
  return {
    rows: [row],
    pictures: [drawLease([...said], hungMs, old.name, EVERY_MS, { ourLastMs: lastMs, promotedMs })],
  };
}

async function calms(cluster: Cluster, { said }: LeaderWatch, lastingMs: number): Promise<Seen> {
  const rows: Row[] = [];
  const { name: leader } = await cluster.primary();
  for (const { name, share, weather } of CALMS) {
    step(name);
    const sinceMs = nowMs();
    await weather(cluster, lastingMs * share);
    await sleep(15_000);
    const here = said.filter((one) => one.node === leader && one.sentMs >= sinceMs);
    const by = (who: 'patroni' | 'patroniglue') => here.filter((one) => one.by === who);
    rows.push({
      label: name,
      measures: [
        { name: 'minutes', value: (nowMs() - sinceMs) / 60_000, digits: 1 },
        { name: 'asked', value: by('patroniglue').length, atLeast: 1 },
        { name: 'not 200 of Patroni', value: by('patroni').filter(({ status }) => status !== 200).length },
        { name: 'not 200 through patroniglue', value: by('patroniglue').filter(({ status }) => status !== 200).length },
        { name: 'by the lease guard', value: by('patroniglue').filter(({ guarded }) => guarded).length, atMost: 0 },
      ],
    });
  }
  return { rows };
}

function step(what: string): void {
  process.stderr.write(`${process.uptime().toFixed(0).padStart(4)} s  ${what}\n`);
}

function readOptions(): { minutes: number; svg: string | undefined; help: boolean } | string {
  try {
    const { values } = parseArgs({
      options: {
        minutes: { type: 'string', default: '30' },
        svg: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
    const minutes = Number(values.minutes);
    if (!(minutes >= 0 && minutes <= 1440)) return '--minutes is a number from 0 to 1440';
    return { minutes, svg: values.svg, help: values.help };
  } catch (error) {
    return (error as Error).message;
  }
}
