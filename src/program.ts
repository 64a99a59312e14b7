import { inspect } from 'node:util';
import { from } from 'rxjs';
import { type Invocation, parseArguments, usage } from './cli.js';
import { loadConfig } from './config.js';
import { ConfigError, ListenError, UsageError } from './errors.js';
import { serve } from './service.js';
import { version } from './version.js';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/** What the command line asks for. Resolves with the exit code when it is done: for the service, after `stopSignal`. */
export async function runProgram(argv: readonly string[], stopSignal: Promise<NodeJS.Signals>): Promise<number> {
  try {
    await run(parseArguments(argv), stopSignal);
    return 0;
  } catch (error) {
    return explain(error);
  }
}

async function run(invocation: Invocation, stopSignal: Promise<NodeJS.Signals>): Promise<void> {
  switch (invocation.kind) {
    case 'help':
      process.stdout.write(usage);
      return;
    case 'version':
      process.stdout.write(`${version}\n`);
      return;
    case 'check': {
      const { warnings } = loadConfig(invocation.config);
      process.stdout.write([...warnings.map((warning) => `warning: ${warning}`), 'configuration ok', ''].join('\n'));
      return;
    }
    case 'run':
      await serve(loadConfig(invocation.config), invocation.level, from(stopSignal));
  }
}

/** What the user can mend is told in plain lines; anything else is a bug and keeps its stack. */
function explain(error: unknown): number {
  const isForUser = error instanceof ConfigError || error instanceof UsageError || error instanceof ListenError;
  process.stderr.write(`${isForUser ? error.message : inspect(error)}\n`);
  return error instanceof ConfigError || error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED;
}
