import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { cpuMs, residentMB } from '../test/support/measuring/proc.js';
import { skipReason } from '../test/support/processes/programs.js';
import { nowMs } from '../test/support/time/monotonic.js';
import { type RunningSubject, type Subject, minimal, ours, startSubject } from './footprint/subjects.js';
import type { Measure, Row } from './support/figure.js';
import { checkFast } from './support/h2load.js';
import { describeMachine } from './support/machine.js';
import { brokenBounds, toMarkdown } from './support/report.js';
import { spreadOf } from './support/statistics.js';
import { startBenchUpstream } from './support/upstream.js';

const help = `Usage: npm run bench:footprint -- [options]

What patroniglue costs a host at rest: as it is installed (one file), as it is compiled (a file for each module), and a bare
node:http process that asks for the same three routes once a second and answers from memory. In each round each is started
several times, in turn. Then all three run at the same time: CPU time at rest, and memory after 100,000 checks each.

  --rounds N  (5)
  --help      print this

Exit code: 0 when every bound is kept, 1 when one is broken, 2 for wrong usage and where it cannot be found out.
`;

const STARTS = 5;
/** By then the functions that polls call are compiled. */
const SETTLE_MS = 20_000;
const REST_MS = 30_000;
const CHECKS = { route: '/primary', perSecond: 4000, durationMs: 25_000 };

/** What the bundle may take. */
const MOST = { startMs: 300, residentMB: 62, cpuPercent: 0.7 };

/** What was measured at one subject. Each list has a value for each round; `startMs` for each start. */
interface Taken {
  readonly startMs: number[];
  readonly cpuPercent: number[];
  readonly residentMB: number[];
}

process.exitCode = await main();

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { rounds: { type: 'string', default: '5' }, help: { type: 'boolean', default: false } },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const rounds = Number(values.rounds);
  const reason = Number.isInteger(rounds) && rounds > 0 ? await skipReason(['h2load']) : '--rounds is a number';
  if (reason !== false) {
    process.stderr.write(`${reason}\n`);
    return 2;
  }
  const subjects = [...ours, minimal];
  const taken = subjects.map((): Taken => ({ startMs: [], cpuPercent: [], residentMB: [] }));
  const upstream = await startBenchUpstream();
  try {
    for (let round = 0; round < rounds; round += 1) await measure(subjects, taken, upstream.port);
  } finally {
    await upstream.close();
  }
  const title = `${rounds} rounds. The bare process asks for the same three routes once a second.`;
  const rows = subjects.map(({ name }, at) => rowOf(name, taken[at], taken.at(-1), name === ours[0]?.name));
  const results = [{ name: 'footprint', title, rows }];
  process.stdout.write(`${toMarkdown(describeMachine(), results)}\n`);
  const broken = brokenBounds(results);
  for (const sentence of broken) process.stderr.write(`bound broken: ${sentence}\n`);
  return broken.length === 0 ? 0 : 1;
}

/** One round, of all subjects. */
async function measure(subjects: readonly Subject[], taken: readonly Taken[], upstreamPort: number): Promise<void> {
  for (let start = 0; start < STARTS; start += 1) {
    for (const [at, subject] of subjects.entries()) {
      const once = await startSubject(subject, upstreamPort);
      taken[at]?.startMs.push(once.startMs);
      await once.close();
    }
  }
  const running: RunningSubject[] = [];
  try {
    for (const subject of subjects) running.push(await startSubject(subject, upstreamPort));
    await sleep(SETTLE_MS);
    const before = running.map(({ pid }) => ({ atMs: nowMs(), usedMs: cpuMs(pid) }));
    await sleep(REST_MS);
    for (const [at, { pid }] of running.entries()) {
      const { atMs = NaN, usedMs = NaN } = before[at] ?? {};
      taken[at]?.cpuPercent.push((100 * (cpuMs(pid) - usedMs)) / (nowMs() - atMs));
    }
    for (const [at, { pid, port }] of running.entries()) {
      const { checks, good } = await checkFast({ ...CHECKS, port });
      if (good < checks) throw new Error(`${subjects[at]?.name ?? ''}: ${checks - good} checks were not answered 200`);
      taken[at]?.residentMB.push(residentMB(pid));
    }
  } finally {
    for (const one of running) await one.close();
  }
}

/** Figures, and their ratios to the bare process. */
function rowOf(label: string, own: Taken | undefined, bare: Taken | undefined, isBound: boolean): Row {
  const measures = (name: string, of: keyof Taken, unit: NonNullable<Measure['unit']>, digits: number): Measure[] => {
    const spread = spreadOf(own?.[of] ?? []);
    const ratio = spread.value / spreadOf(bare?.[of] ?? []).value;
    return [
      { name, ...spread, unit, digits, ...(isBound && { atMost: MOST[of] }) },
      { name: 'ratio', value: ratio, digits: 2 },
    ];
  };
  return {
    label,
    measures: [
      ...measures('start to first fresh answer', 'startMs', 'ms', 0),
      ...measures('resident after 100,000 checks', 'residentMB', 'MB', 1),
      ...measures('of a core at rest', 'cpuPercent', '%', 2),
    ],
  };
}
