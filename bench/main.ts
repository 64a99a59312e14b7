import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { nowMs } from '../test/support/time/monotonic.js';
import { abuse } from './figures/abuse.js';
import { distinctQueries } from './figures/distinct-queries.js';
import { faults } from './figures/faults.js';
import type { Figure, Result } from './support/figure.js';
import { freezeCost } from './figures/freeze-cost.js';
import { freeze } from './figures/freeze.js';
import { loadAtPatroni } from './figures/load-at-patroni.js';
import { describeMachine } from './support/machine.js';
import { installPeers } from './peers/all.js';
import { memory } from './figures/memory.js';
import { brokenBounds, toMarkdown } from './support/report.js';
import { propagation } from './figures/propagation.js';
import { selfStopped } from './figures/self-stopped.js';
import { startUp } from './figures/start-up.js';
import { throughput } from './figures/throughput.js';

const figures: readonly Figure[] = [
  freeze,
  freezeCost,
  propagation,
  loadAtPatroni,
  throughput,
  memory,
  startUp,
  selfStopped,
  distinctQueries,
  abuse,
  faults,
];

const help = `Usage: npm run bench -- [--only NAME]... [--json FILE] [--svg DIR]

Measures the service on this machine, on loopback, beside what of nginx, varnish and HAProxy is installed, or can be: about
half an hour.
Figures: ${figures.map(({ name }) => name).join(', ')}

  --only NAME  take this figure alone; may be repeated
  --json FILE  write the figures there, too
  --svg DIR    write the pictures there, as SVG
  --help       print this

Exit code: 0 when every bound is kept, 1 when one is broken, 2 for wrong usage.
`;

process.exitCode = await main();

async function main(): Promise<number> {
  const options = readOptions();
  if (typeof options === 'string') {
    process.stderr.write(`${options}\nTry: npm run bench -- --help\n`);
    return 2;
  }
  if (options.help) {
    process.stdout.write(help);
    return 0;
  }
  await installPeers();
  const machine = describeMachine();
  const results: Result[] = [];
  for (const { name, title, run } of options.figures) {
    const startedMs = nowMs();
    results.push({ name, title, ...(await run()) });
    process.stderr.write(`${name}: done in ${((nowMs() - startedMs) / 1000).toFixed(0)} s\n`);
  }
  const broken = brokenBounds(results);
  process.stdout.write(`${toMarkdown(machine, results)}\n`);
  if (options.json !== undefined) {
    writeFileSync(
      options.json,
      `${JSON.stringify({ machine, results: results.map(({ name, title, rows }) => ({ name, title, rows })), broken }, undefined, 2)}\n`,
    );
  }
  if (options.svg !== undefined) {
    for (const { name, svg } of results.flatMap(({ pictures = [] }) => pictures)) {
      writeFileSync(join(options.svg, `${name}.svg`), svg);
    }
  }
  for (const sentence of broken) process.stderr.write(`bound broken: ${sentence}\n`);
  return broken.length === 0 ? 0 : 1;
}

interface Options {
  readonly figures: readonly Figure[];
  readonly json: string | undefined;
  readonly svg: string | undefined;
  readonly help: boolean;
}

function readOptions(): Options | string {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: 'string', multiple: true, default: [] },
        json: { type: 'string' },
        svg: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
    const unknown = values.only.find((name) => !figures.some((figure) => figure.name === name));
    if (unknown !== undefined) return `unknown figure ${JSON.stringify(unknown)}`;
    const chosen = values.only.length === 0 ? figures : figures.filter(({ name }) => values.only.includes(name));
    return { figures: chosen, json: values.json, svg: values.svg, help: values.help };
  } catch (error) {
    return (error as Error).message;
  }
}
