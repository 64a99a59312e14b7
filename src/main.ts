#!/usr/bin/env node
import { inspect } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { ReplaySubject } from 'rxjs';
import { type Invocation, parseArguments, usage } from './cli.js';
import { loadConfig } from './config.js';
import { ConfigError, ListenError, UsageError } from './errors.js';
import { serve } from './service.js';
import { version } from './version.js';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/** From a signal to the end, whatever happens. */
const LEAVE_WITHIN_MS = 850;
const MOMENT_MS = 50;

/** Signals that end the service as asked. Listened to until the end: a second one must not kill what is closing. */
const stop$ = new ReplaySubject<NodeJS.Signals>(1);
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    stop$.next(signal);
    setTimeout(leave, LEAVE_WITHIN_MS, 0).unref(); // whatever still hangs: the look-up of frontend.host, say
  });
}

// V8 lets its young generation grow to 48 MB under load before it collects. A few hundred bytes a check need no more
// than it starts with: without this the process is half as large again, and no faster.
setFlagsFromString('--semi-space-growth-factor=1');

try {
  await run(parseArguments(process.argv.slice(2)));
  leave(0);
} catch (error) {
  leave(explain(error));
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

/**
 * Ends the process. `process.exit` would wait for what libuv's threads are busy with, and a look-up that hangs, or a write
 * to a disk or terminal that does, can take minutes. Where one is not done in a moment, SIGTERM ends the process: systemd
 * and pm2 count that as ended as asked, too.
 */
function leave(exitCode: number): void {
  if (exitCode !== 0 || !isHeldUp()) process.exit(exitCode);
  setTimeout(() => {
    if (!isHeldUp()) process.exit(exitCode);
    process.removeAllListeners('SIGTERM');
    process.kill(process.pid, 'SIGTERM');
  }, MOMENT_MS);
}

function isHeldUp(): boolean {
  return process.getActiveResourcesInfo().some((name) => /GetAddrInfo|FSReq/.test(name));
}

/** What the user can mend is told in plain lines; anything else is a bug and keeps its stack. */
function explain(error: unknown): number {
  const isForUser = error instanceof ConfigError || error instanceof UsageError || error instanceof ListenError;
  process.stderr.write(`${isForUser ? error.message : inspect(error)}\n`);
  return error instanceof ConfigError || error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED;
}
