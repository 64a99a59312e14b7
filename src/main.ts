#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8';

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
const MOMENT_MS = 50;

/** Signals that end the service as asked. Listened to until the end: a second one must not kill what is closing. */
const stopSignal = new Promise<NodeJS.Signals>((resolve) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      resolve(signal);
      setTimeout(leave, LEAVE_WITHIN_MS, 0).unref(); // whatever still hangs: the look-up of frontend.host, say
    });
  }
});

/** SIGHUP would end the process from its first moment on, were it not listened to. */
process.on('SIGHUP', () => undefined);

// Loaded only now: before the libraries take memory, and while a signal is heard already.
const { runProgram } = await import('./program.js');
const { fromEvent } = await import('rxjs');
leave(await runProgram(process.argv.slice(2), { stop: stopSignal, hangUp$: fromEvent(process, 'SIGHUP') }));

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
