import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { skipReason } from '../test/support/processes/programs.js';
import { drawWitness } from './figures/witness-picture.js';
import { apiRows, wholeRows } from './figures/witness-rows.js';
import { describeMachine } from './support/machine.js';
import { brokenBounds, toMarkdown } from './support/report.js';
import { EVERY_MS, PER_SECOND, play } from './witness/scenes.js';
import { HAPROXY_INTER_MS, TIMINGS } from './witness/stand.js';

const help = `Usage: npm run bench:witness -- [options]

A real Patroni cluster of two with Patroni's own ttl, loop_wait and retry_timeout (30, 10, 10), and three HAProxys. One checks
Patroni itself, one a patroniglue without the witness, one a patroniglue with the witness. First only the API of the primary's
Patroni is frozen: who goes on to answer 200, which HAProxy marks the server DOWN, and which session ends? Then the primary's
Patroni is stopped as a whole: how long before the next primary's first 200 is the last 200 of each?

  --seconds N  how long the API alone is frozen (300)
  --svg DIR    write the picture there, witness.svg
  --help       print this

With 300 s it takes about nine minutes.
Exit code: 0 when every bound is kept, 1 when one is broken, 2 for wrong usage and where it cannot be found out.
`;

process.exitCode = await main();

async function main(): Promise<number> {
  const options = readOptions();
  if (typeof options === 'string') {
    process.stderr.write(`${options}\nTry: npm run bench:witness -- --help\n`);
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
  const { api, whole } = await play(options.seconds * 1000, step);
  const { ttl, loop_wait: loopWait, retry_timeout: retryTimeout } = TIMINGS;
  const results = [
    {
      name: `witness: only the API is frozen, for ${options.seconds} s`,
      title:
        `/primary at the primary of a Patroni cluster of two (ttl ${ttl} s, loop_wait ${loopWait} s, retry_timeout ${retryTimeout} s), ` +
        `asked every ${EVERY_MS} ms by each way. HAProxy runs examples/haproxy.cfg and checks every ${HAPROXY_INTER_MS / 1000} s. ` +
        `The second table: ${PER_SECOND} checks a second beside that, on fresh connections, timed from when they were due.`,
      rows: apiRows(api),
    },
    {
      name: 'witness: all of Patroni is frozen',
      title: 'SIGSTOP to the Patroni of the primary, until the other node is promoted. Times count from the freeze.',
      rows: wholeRows(whole),
    },
  ];
  process.stdout.write(`${toMarkdown({ ...describeMachine(), pinned: false }, results)}\n`);
  if (options.svg !== undefined) {
    const { name, svg } = drawWitness(api, whole);
    mkdirSync(options.svg, { recursive: true });
    writeFileSync(join(options.svg, `${name}.svg`), svg);
  }
  const broken = brokenBounds(results);
  for (const sentence of broken) process.stderr.write(`bound broken: ${sentence}\n`);
  return broken.length === 0 ? 0 : 1;
}

function step(what: string): void {
  process.stderr.write(`${process.uptime().toFixed(0).padStart(4)} s  ${what}\n`);
}

function readOptions(): { seconds: number; svg: string | undefined; help: boolean } | string {
  try {
    const { values } = parseArgs({
      options: {
        seconds: { type: 'string', default: '300' },
        svg: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
    const seconds = Number(values.seconds);
    if (!(seconds >= 10 && seconds <= 86_400)) return '--seconds is a number from 10 to 86400';
    return { seconds, svg: values.svg, help: values.help };
  } catch (error) {
    return (error as Error).message;
  }
}
