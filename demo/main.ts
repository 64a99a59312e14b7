import { performance } from 'node:perf_hooks';
import { missingPrograms } from '../test/support/programs.js';
import { exitOnSignals } from './interrupt.js';
import { parseOptions, usage } from './options.js';
import type { Patroni } from './patroni.js';
import { readPolls } from './polls.js';
import { obtainPrograms } from './programs.js';
import { startRealPatroni } from './real-patroni.js';
import type { Recording } from './recording.js';
import { check, sample } from './sampler.js';
import { createScreen } from './screen.js';
import { scriptedWords, startScriptedPatroni } from './scripted-patroni.js';
import { type Stage, startStage } from './stage.js';
import { type Played, play } from './story.js';
import { createStyle, isUtf8 } from './style.js';
import { judge, summary } from './verdict.js';
import { frame, plainLine } from './view.js';

const EVERY_MS = 200;
/** As HAProxy's `timeout check` in examples/haproxy.cfg. */
const DEADLINE_MS = 1000;
const REDRAWN_EVERY_MS = 100;
const LINE_EVERY_MS = 500;
/** The picture's height and width at the least; on a smaller terminal there are lines instead. */
const ROWS = 17;
const COLUMNS = 79;

const { stdin, stdout } = process;
const say = (text: string): void => {
  stdout.write(`${text}\n`);
};
stdout.on('error', () => process.exit(1)); // whoever reads has gone: `npm run demo | head`
exitOnSignals();
process.exit(await main(process.argv.slice(2)));

async function main(argv: readonly string[]): Promise<number> {
  const invocation = parseOptions(argv);
  switch (invocation.kind) {
    case 'help':
      stdout.write(usage);
      return 0;
    case 'error':
      process.stderr.write(`${invocation.message}\n`);
      return 2;
    case 'run':
      return await demonstrate(invocation).catch((error: unknown) => {
        process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`);
        return 1;
      });
  }
}
