#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8';
import { keepDebuggerClosed } from './debugger.js';
import { leave } from './leave.js';

// V8 takes memory rather than time: its young generation grows to 48 MB under load, and its old one well past what lives
// before it is looked through. A check leaves a few kilobytes of garbage and nothing else, so both are kept short: some
// 80 MB in place of 130. Looked through more often still (4 per cent), the pauses showed in the checks' p99. (Node's
// command line has `--max-semi-space-size`, but it cannot be given here.) And so short a young generation is cleared by
// one thread in a tenth of a millisecond: to wake others for it took a fifth of all the time of a busy service.
// Measured by `npm run bench`.
for (const flag of [
  '--semi-space-growth-factor=1',
  '--incremental-marking-soft-trigger=20', // per cent of the room up to V8's own limit
  '--no-parallel-scavenge',
]) {
  setFlagsFromString(flag);
}

/** From a signal to the end, whatever happens. */
const LEAVE_WITHIN_MS = 850;

/** Signals that end the service as asked. Listened to until the end: a second one must not kill what is closing. */
const stopSignal = new Promise<NodeJS.Signals>((resolve) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      resolve(signal);
      setTimeout(leave, LEAVE_WITHIN_MS, 0).unref(); // whatever still hangs
    });
  }
});

/** Those before anybody can be told of them. */
const early: NodeJS.Signals[] = [];
let hear = (signal: NodeJS.Signals): void => {
  early.push(signal);
};

// SIGHUP and SIGUSR2 would end the process, and SIGUSR1 would open Node's debugger, were they not listened to.
for (const signal of ['SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const) {
  process.on(signal, () => {
    hear(signal);
  });
}
await keepDebuggerClosed(() => {
  hear('SIGUSR1');
});

// Loaded only now: before the libraries take memory, and while a signal is heard already.
const { runProgram } = await import('./cli/program.js');
const { ReplaySubject } = await import('rxjs');
// One of each waits for the service: a SIGHUP while it starts is one to read the configuration again.
const hangUp$ = new ReplaySubject<NodeJS.Signals>(1);
const ignored$ = new ReplaySubject<NodeJS.Signals>(1);
hear = (signal) => {
  (signal === 'SIGHUP' ? hangUp$ : ignored$).next(signal);
};
early.forEach(hear);
leave(await runProgram(process.argv.slice(2), { stop: stopSignal, hangUp$, ignored$ }));
