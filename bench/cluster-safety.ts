import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { analyse, type Recording } from '../test/tools/safety/analysis.js';
import type { Plan } from '../test/tools/safety/event.js';
import { record } from '../test/tools/safety/record.js';
import { brokenRules, limitsOf } from '../test/tools/safety/rules.js';
import { nowMs } from '../test/support/time/monotonic.js';
import { skipReason } from '../test/support/processes/programs.js';
import { rowsOf } from './figures/cluster-safety-rows.js';
import { describeMachine } from './support/machine.js';
import { DEFAULT_PACE } from './support/processes.js';
import { toMarkdown } from './support/report.js';

const help = `Usage: node build/bench/cluster-safety.js [options]

Takes the primary of a real three-node Patroni cluster away, again and again, and asks for /primary all the while, directly
and through a patroniglue at each node: is there ever a second one, how long is there none, how late is a change? Some ten
minutes. What is missing of PostgreSQL, Patroni, etcd and HAProxy is installed by apt-get (as root on Debian or Ubuntu).

  --switchovers N  by Patroni's API (20)
  --kills N        primaries that are killed: whole nodes and, every second time, Patroni alone (5)
  --freezes N      primaries whose Patroni is stopped (SIGSTOP) until another node is the primary (5)
  --json FILE      write all that was found there, and all that was said
  --help           print this

Exit code: 0 when every bound is kept, 1 when one is broken, 2 for wrong usage and where it cannot be found out.
`;

const EVERY_MS = 10;

/** For the way of a poll to a Patroni that is busy with a promotion, and back. */
const SLACK_MS = 100;

process.exitCode = await main();

async function main(): Promise<number> {
  const options = readOptions();
  if (typeof options === 'string') {
    process.stderr.write(`${options}\nTry: node build/bench/cluster-safety.js --help\n`);
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
  const startedMs = nowMs();
  const onStep = (step: string): void => {
    process.stderr.write(`${((nowMs() - startedMs) / 1000).toFixed(0).padStart(4)} s  ${step}\n`);
  };
  let recording: Recording;
  try {
    recording = await record({ ...options.plan, cache: DEFAULT_PACE, everyMs: EVERY_MS, onStep });
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    return 2;
  }
  const findings = analyse(recording);
  const limits = limitsOf(recording, SLACK_MS);
  const broken = brokenRules(findings, limits);
  const machine = { ...describeMachine(), pinned: false };
  const title =
    `/primary of a Patroni cluster of three (ttl 20 s, loop_wait 1 s, retry_timeout 3 s), asked every ${EVERY_MS} ms at each ` +
    `Patroni and at the patroniglue beside it (ttl ${DEFAULT_PACE.ttl} s, interval ${DEFAULT_PACE.interval} s).`;
  const result = { name: 'cluster-safety', title, rows: rowsOf(recording, findings, limits) };
  process.stdout.write(`${toMarkdown(machine, [result])}\n`);
  if (options.json !== undefined) {
    const all = { machine, results: [result], broken, findings, recording };
    writeFileSync(options.json, `${JSON.stringify(all, undefined, 2)}\n`);
  }
  for (const sentence of broken) process.stderr.write(`bound broken: ${sentence}\n`);
  return broken.length === 0 ? 0 : 1;
}

function readOptions(): { plan: Plan; json: string | undefined; help: boolean } | string {
  try {
    const { values } = parseArgs({
      options: {
        switchovers: { type: 'string', default: '20' },
        kills: { type: 'string', default: '5' },
        freezes: { type: 'string', default: '5' },
        json: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
    const [switchovers, kills, freezes] = [values.switchovers, values.kills, values.freezes].map(count);
    if (switchovers === undefined || kills === undefined || freezes === undefined) {
      return '--switchovers, --kills and --freezes are whole numbers from 0 to 1000';
    }
    if (switchovers + kills + freezes === 0) return 'there is nothing to do: all three numbers are 0';
    return { plan: { switchovers, kills, freezes }, json: values.json, help: values.help };
  } catch (error) {
    return (error as Error).message;
  }
}

function count(text: string): number | undefined {
  return /^\d{1,4}$/.test(text) && Number(text) <= 1000 ? Number(text) : undefined;
}
