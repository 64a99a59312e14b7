#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8';
import { keepDebuggerClosed } from './debugger.js';
import { exitProcess } from './exit-process.js';

// V8 prefers using memory to collecting garbage: under load its young generation grows to 48 MB and the old one far beyond
// the live data. A check leaves only a few kilobytes of garbage. These flags make V8 collect earlier: about 80 MB instead of
// 130 (`npm run bench`). Collecting even earlier (trigger at 4 %) showed up in the checks' p99. The flag
// `--max-semi-space-size` works only on Node's command line, not here. One thread clears such a small young generation in
// 0.1 ms; waking other threads for it took a fifth of the CPU time of a busy service.
for (const flag of [
  '--semi-space-growth-factor=1',
  '--incremental-marking-soft-trigger=20', // per cent of the space up to V8's own limit
  '--no-parallel-scavenge',
]) {
  setFlagsFromString(flag);
}

/** The longest time from a signal to the end of the process, whatever happens. */
const EXIT_WITHIN_MS = 850;

/** The first signal that ends the service. The handlers stay until the end: a second signal must not kill it while it closes. */
const stopSignal = new Promise<NodeJS.Signals>((resolve) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      resolve(signal);
      setTimeout(exitProcess, EXIT_WITHIN_MS, 0).unref(); // whatever still hangs
    });
  }
});

/** Signals that came before the program was loaded. */
const earlySignals: NodeJS.Signals[] = [];
let onSignal = (signal: NodeJS.Signals): void => {
  earlySignals.push(signal);
};

// Without these handlers, SIGHUP and SIGUSR2 would end the process, and SIGUSR1 would open Node's debugger.
for (const signal of ['SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const) {
  process.on(signal, () => {
    onSignal(signal);
  });
}

void run();

async function run(): Promise<void> {
  await keepDebuggerClosed(() => {
    onSignal('SIGUSR1');
  });

  // The libraries are loaded only now: V8's flags are set before they take memory, and no signal is missed meanwhile.
  const { runProgram } = await import('./cli/program.js');
  const { ReplaySubject } = await import('rxjs');
  // The last signal of each kind waits for the service: after a SIGHUP during the start, it reads the configuration again.
  const hangUp$ = new ReplaySubject<NodeJS.Signals>(1);
  const ignored$ = new ReplaySubject<NodeJS.Signals>(1);
  onSignal = (signal) => {
    (signal === 'SIGHUP' ? hangUp$ : ignored$).next(signal);
  };
  earlySignals.forEach(onSignal);
  exitProcess(await runProgram(process.argv.slice(2), { stop: stopSignal, hangUp$, ignored$ }));
}
