import { createInterface } from 'node:readline';
import { install, installPlan, missingPrograms, whyNotInstallable } from '../test/support/processes/programs.js';
import { uninterrupted, unlessInterrupted } from './interrupt.js';

export interface ObtainOptions {
  /** Install without asking. */
  readonly yes: boolean;
  /** Somebody is there to be asked. */
  readonly interactive: boolean;
  readonly say: (text: string) => void;
}

/** Resolves with true when the real programs are there, installed now if need be; else says why not. */
export async function obtainPrograms({ yes, interactive, say }: ObtainOptions): Promise<boolean> {
  const missing = missingPrograms();
  if (missing.length === 0) return true;
  await unlessInterrupted();
  const reason = whyNotInstallable();
  if (reason !== undefined) {
    const names = missing.map(({ name }) => name).join(', ');
    say(`Not found: ${names}. They can't be installed here: ${reason}.`);
    return false;
  }
  say(installPlan(missing));
  if (!yes && interactive) {
    if (!(await confirm('Install them now? [Y/n] '))) return false;
  } else if (!yes) {
    say('Nobody to ask (not a terminal), and we are root: going on.');
  }
  say('Installing, which may take a minute or two ...');
  try {
    await uninterrupted(() => install(missing));
    return true;
  } catch (error) {
    say(`Not installed: ${(error as Error).message}`);
    return false;
  }
}

/** Enter and anything that begins with y is yes; the end of the input is no. */
function confirm(question: string): Promise<boolean> {
  // Not `terminal: true`: the terminal shall go on turning Ctrl-C into a signal.
  const lines = createInterface({ input: process.stdin, output: process.stdout, terminal: false });
  return new Promise((resolve) => {
    lines.once('close', () => {
      process.stdout.write('\n');
      resolve(false);
    });
    lines.question(question, (answer) => {
      lines.removeAllListeners('close');
      lines.close();
      resolve(/^\s*(?:y|$)/i.test(answer));
    });
  });
}
