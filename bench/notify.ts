import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type Said, placesOf, watchLeaders } from '../test/tools/safety/leaders.js';
import { createCallback } from '../test/support/cluster/callback.js';
import { startCluster } from '../test/support/cluster/cluster.js';
import { skipReason } from '../test/support/processes/programs.js';
import { type Service, startService } from '../test/support/processes/service.js';
import type { Row } from './support/figure.js';
import { describeMachine } from './support/machine.js';
import { toMarkdown } from './support/report.js';
import { median } from './support/statistics.js';

const help = `Usage: node build/bench/notify.js [options]

How soon health checks show a switchover at a real Patroni: by a patroniglue that only polls, and by one beside it that Patroni's
callbacks on_role_change and on_stop tell (examples/patroni-callback.sh). Both at each node, at the same switchovers.

  --switchovers N  (20)
  --help           print this

Exit code: 0 when it is measured, 2 for wrong usage and where it cannot be found out.
`;

const EVERY_MS = 10;

process.exitCode = await main();

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { switchovers: { type: 'string', default: '20' }, help: { type: 'boolean', default: false } },
  });
  const switchovers = Number(values.switchovers);
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const reason =
    Number.isInteger(switchovers) && switchovers > 0 ? await skipReason(['curl']) : '--switchovers is a number';
  if (reason !== false) {
    process.stderr.write(`${reason}\n`);
    return 2;
  }
  const said = await record(switchovers);
  const rows = [
    rowOf('polling alone, every 1 s', said, 'polling'),
    rowOf('told by on_role_change and on_stop', said, 'told'),
  ];
  const title = `${switchovers} switchovers, /primary asked every ${EVERY_MS} ms: from a change of Patroni's own reply to that of patroniglue's.`;
  process.stdout.write(`${toMarkdown({ ...describeMachine(), pinned: false }, [{ name: 'notify', title, rows }])}\n`);
  return 0;
}

/** Does the switchovers, and leaves nothing running. */
async function record(switchovers: number): Promise<readonly Said[]> {
  const callback = createCallback();
  const closers: (() => Promise<void>)[] = [];
  try {
    const cluster = await startCluster({ callback: callback.file });
    closers.push(() => cluster.close());
    const start = async (): Promise<readonly Service[]> => {
      const services = await Promise.all(
        cluster.nodes.map(({ restPort }) =>
          startService({ config: { backend: { host: '127.0.0.1', port: restPort } }, flags: [] }),
        ),
      );
      closers.push(async () => {
        await Promise.all(services.map((service) => service.close()));
      });
      return services;
    };
    const [polling, told] = [await start(), await start()];
    callback.tells(told);
    const watch = watchLeaders(
      [...placesOf(cluster, polling, 'polling'), ...placesOf(cluster, told, 'told').filter(({ by }) => by === 'told')],
      EVERY_MS,
    );
    for (let done = 0; done < switchovers; done += 1) {
      await cluster.switchover();
      await sleep(3000 + 1000 * Math.random()); // at any moment of the interval
    }
    await watch.stop();
    return watch.said;
  } finally {
    for (const close of closers.toReversed()) await close();
    callback.remove();
  }
}

function rowOf(label: string, said: readonly Said[], by: string): Row {
  const latencies = (to: boolean): readonly number[] => {
    const nodes = [...new Set(said.map(({ node }) => node))];
    return nodes.flatMap((node) => {
      const ours = changes(said, node, by).filter((change) => change.is200 === to);
      return changes(said, node, 'patroni')
        .filter(({ is200 }) => is200 === to)
        .flatMap(({ atMs }) => {
          const seen = ours.find((change) => change.atMs >= atMs - EVERY_MS);
          return seen ? [Math.max(0, seen.atMs - atMs)] : [];
        });
    });
  };
  const measures = (
    [
      ['to 200', true],
      ['to 503', false],
    ] as const
  ).flatMap(([name, to]) => {
    const all = latencies(to);
    return [
      { name: `${name}: changes`, value: all.length },
      { name: 'median', value: median(all), unit: 'ms' as const },
      { name: 'longest', value: Math.max(...all), unit: 'ms' as const },
    ];
  });
  return { label, measures };
}

/** The moments at which a place begins, or ceases, to say 200. */
function changes(said: readonly Said[], node: string, by: string): readonly { atMs: number; is200: boolean }[] {
  const here = said.filter((one) => one.node === node && one.by === by).sort((a, b) => a.sentMs - b.sentMs);
  return here.flatMap(({ sentMs, status }, index) => {
    const before = here[index - 1];
    const is200 = status === 200;
    return before === undefined || (before.status === 200) === is200 ? [] : [{ atMs: sentMs, is200 }];
  });
}
