import { missingPrograms } from '../test/support/processes/programs.js';
import { exitOnSignals, unlessInterrupted } from './interrupt.js';
import { type Invocation, parseOptions, usage } from './options.js';
import type { Patroni } from './patroni.js';
import { readPolls } from './polls.js';
import { obtainPrograms } from './programs.js';
import { startRealPatroni } from './real-patroni.js';
import { startScriptedPatroni } from './scripted-patroni.js';
import { show } from './show.js';
import { type Stage, startStage } from './stage.js';
import { createStyle, isUtf8 } from './style.js';
import { judge, summary } from './verdict.js';

const { stdin, stdout } = process;
const say = (text: string): void => {
  stdout.write(`${text}\n`);
};

stdout.on('error', () => process.exit(1)); // whoever reads has gone: `npm run demo | head`
exitOnSignals();
process.exit(await main(parseOptions(process.argv.slice(2))));

/** Resolves with the exit code. */
async function main(invocation: Invocation): Promise<number> {
  switch (invocation.kind) {
    case 'help':
      stdout.write(usage);
      return 0;
    case 'error':
      process.stderr.write(`${invocation.message}\n`);
      return 2;
    case 'run':
      try {
        const code = await demonstrate(invocation);
        say('\nStopped; nothing is left running.');
        return code;
      } catch (error) {
        await unlessInterrupted();
        process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`);
        return 1;
      }
  }
}

async function demonstrate({ yes, scripted }: Extract<Invocation, { kind: 'run' }>): Promise<number> {
  const real = !scripted && (await obtainPrograms({ yes, interactive: stdin.isTTY && stdout.isTTY, say }));
  const withHAProxy = missingPrograms().length === 0;
  if (!real) say(`With a scripted Patroni instead of a real one${withHAProxy ? '' : ', and without HAProxy'}.`);
  let patroni: Patroni | undefined;
  let stage: Stage | undefined;
  try {
    say('Starting on loopback:');
    const step = (text: string): void => {
      say(`  ${text}`);
    };
    patroni = real ? await startRealPatroni(step) : await startScriptedPatroni();
    step(`patroniglue beside each node, without the witness and with it${withHAProxy ? ', and HAProxy for each' : ''}`);
    stage = await startStage(patroni, withHAProxy);
    say('');
    const style = createStyle(stdout.isTTY && stdout.hasColors(), isUtf8(process.env));
    const recording = await show(patroni, stage, stdout, style);
    const claims = judge(recording, readPolls(stage.without.log()), patroni.nodes[0].name);
    say(['', ...summary(recording, claims, style)].join('\n'));
    return claims.every(({ holds }) => holds) ? 0 : 1;
  } finally {
    await Promise.all([stage?.close(), patroni?.close()]);
  }
}
