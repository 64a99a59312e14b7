#!/usr/bin/env node
import { inspect } from 'node:util';
import { ReplaySubject } from 'rxjs';
import { type Invocation, parseArguments, usage } from './cli.js';
import { loadConfig } from './config.js';
import { ConfigError, ListenError, UsageError } from './errors.js';
import { serve } from './service.js';
import { version } from './version.js';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/** Signals that end the service as asked. Listened to until the end: a second one must not kill what is closing. */
const stop$ = new ReplaySubject<NodeJS.Signals>(1);
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    stop$.next(signal);
  });
}

try {
  await run(parseArguments(process.argv.slice(2)));
  process.exit(0); // not left to the event loop: a log reader that stopped would hold it
} catch (error) {
  process.exit(explain(error));
}

async function run(invocation: Invocation): Promise<void> {
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
      await serve(loadConfig(invocation.config), invocation.level, stop$);
  }
}

/** What the user can mend is told in plain lines; anything else is a bug and keeps its stack. */
function explain(error: unknown): number {
  const isForUser = error instanceof ConfigError || error instanceof UsageError || error instanceof ListenError;
  process.stderr.write(`${isForUser ? error.message : inspect(error)}\n`);
  return error instanceof ConfigError || error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED;
}
