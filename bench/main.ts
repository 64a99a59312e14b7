import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { nowMs } from '../test/support/monotonic.js';
import { distinctQueries } from './distinct-queries.js';
import { faults } from './faults.js';
import type { Figure, Result } from './figure.js';
import { freeze } from './freeze.js';
import { loadAtPatroni } from './load-at-patroni.js';
import { describeMachine } from './machine.js';
import { memory } from './memory.js';
import { brokenBounds, toMarkdown } from './report.js';
import { selfStopped } from './self-stopped.js';
import { startUp } from './start-up.js';

const figures: readonly Figure[] = [freeze, selfStopped, loadAtPatroni, distinctQueries, startUp, memory, faults];

const help = `Usage: npm run bench -- [--only NAME]... [--json FILE]

Measures the service on this machine, on loopback, against a scripted upstream: about four minutes.
Figures: ${figures.map(({ name }) => name).join(', ')}

  --only NAME  take this figure alone; may be repeated
  --json FILE  write the figures there, too
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
  const machine = describeMachine();
  const results: Result[] = [];
  for (const { name, title, run } of options.figures) {
    const startedMs = nowMs();
    const rows = await run();
    results.push({ name, title, rows });
    process.stderr.write(`${name}: done in ${((nowMs() - startedMs) / 1000).toFixed(0)} s\n`);
  }
  const broken = brokenBounds(results);
  process.stdout.write(`${toMarkdown(machine, results)}\n`);
  if (options.json !== undefined) {
    writeFileSync(options.json, `${JSON.stringify({ machine, results, broken }, undefined, 2)}\n`);
  }
  for (const sentence of broken) process.stderr.write(`bound broken: ${sentence}\n`);
  return broken.length === 0 ? 0 : 1;
}

function readOptions(): { figures: readonly Figure[]; json: string | undefined; help: boolean } | string {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: 'string', multiple: true, default: [] },
        json: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
    const unknown = values.only.find((name) => !figures.some((figure) => figure.name === name));
    if (unknown !== undefined) return `unknown figure ${JSON.stringify(unknown)}`;
    const chosen = values.only.length === 0 ? figures : figures.filter(({ name }) => values.only.includes(name));
    return { figures: chosen, json: values.json, help: values.help };
  } catch (error) {
    return (error as Error).message;
  }
}
