import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { analyse, type Recording } from '../test/tools/safety/analysis.js';
import type { Plan } from '../test/tools/safety/event.js';
import { QUICK_TIMINGS, type Timings, record } from '../test/tools/safety/record.js';
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
minutes. It runs the Patroni of the source tree that PATRONI_SOURCE names, or the installed one. What is missing of
PostgreSQL, Patroni, etcd and HAProxy is installed by apt-get (as root on Debian or Ubuntu).

  --switchovers N  by Patroni's API (20)
  --kills N        primaries that are killed: whole nodes and, every second time, Patroni alone (5)
  --freezes N      primaries whose Patroni is stopped (SIGSTOP) until another node is the primary (5)
  --witness        each patroniglue asks etcd and its PostgreSQL while Patroni does not answer
  --usual-timings  ttl 30 s, loop_wait 10 s and retry_timeout 10 s, Patroni's defaults, in place of 20 s, 1 s and 3 s
  --json FILE      write all that was found there, and all that was said
  --help           print this

Exit code: 0 when every bound is kept, 1 when one is broken, 2 for wrong usage and where it cannot be found out.
`;

const EVERY_MS = 10;

/** For the way of a poll to a Patroni that is busy with a promotion, and back. */
const SLACK_MS = 100;

/** Patroni's defaults. */
const USUAL_TIMINGS: Timings = { ttl: 30, loop_wait: 10, retry_timeout: 10 };

interface Options {
  readonly plan: Plan;
  readonly timings: Timings;
  readonly witness: boolean;
  readonly json: string | undefined;
  readonly help: boolean;
}

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
    const { plan, timings, witness } = options;
    const patroniSource = process.env['PATRONI_SOURCE'];
    recording = await record({
      ...plan,
      cache: DEFAULT_PACE,
      everyMs: EVERY_MS,
      timings,
      witness,
      patroniSource,
      onStep,
    });
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    return 2;
  }
  const findings = analyse(recording);
  const limits = limitsOf(recording, SLACK_MS);
  const broken = brokenRules(findings, limits);
  const machine = { ...describeMachine(), pinned: false };
  const { ttl, loop_wait: loopWait, retry_timeout: retryTimeout } = options.timings;
  const title =
    `/primary of a Patroni cluster of three (ttl ${ttl} s, loop_wait ${loopWait} s, retry_timeout ${retryTimeout} s), asked ` +
    `every ${EVERY_MS} ms at each Patroni and at the patroniglue beside it (ttl ${DEFAULT_PACE.ttl} s, interval ` +
    `${DEFAULT_PACE.interval} s${options.witness ? ', with a witness' : ''}).`;
  const result = { name: 'cluster-safety', title, rows: rowsOf(recording, findings, limits) };
  process.stdout.write(`${toMarkdown(machine, [result])}\n`);
  if (options.json !== undefined) {
    const all = { machine, results: [result], broken, findings, recording };
    writeFileSync(options.json, `${JSON.stringify(all, undefined, 2)}\n`);
  }
  for (const sentence of broken) process.stderr.write(`bound broken: ${sentence}\n`);
  return broken.length === 0 ? 0 : 1;
}

function readOptions(): Options | string {
  try {
    const { values } = parseArgs({
      options: {
        switchovers: { type: 'string', default: '20' },
        kills: { type: 'string', default: '5' },
        freezes: { type: 'string', default: '5' },
        witness: { type: 'boolean', default: false },
        'usual-timings': { type: 'boolean', default: false },
        json: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
    const [switchovers, kills, freezes] = [values.switchovers, values.kills, values.freezes].map(count);
    if (switchovers === undefined || kills === undefined || freezes === undefined) {
      return '--switchovers, --kills and --freezes are whole numbers from 0 to 1000';
    }
    if (switchovers + kills + freezes === 0) return 'there is nothing to do: all three numbers are 0';
    const timings = values['usual-timings'] ? USUAL_TIMINGS : QUICK_TIMINGS;
    const { witness, json, help } = values;
    return { plan: { switchovers, kills, freezes }, timings, witness, json, help };
  } catch (error) {
    return (error as Error).message;
  }
}

function count(text: string): number | undefined {
  return /^\d{1,4}$/.test(text) && Number(text) <= 1000 ? Number(text) : undefined;
}
