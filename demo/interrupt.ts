import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Set while something runs that must not be cut off. */
let shielded = false;
let pending: number | undefined;

/**
 * From now on a signal ends the process with the shell's code for it (130 for Ctrl-C). Workspaces clean up as the process
 * exits; these listeners must therefore be there before the first workspace's own, which end the process by the signal.
 */
export function exitOnSignals(): void {
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      const code = 128 + constants.signals[signal];
      if (!shielded) {
        process.stdout.write('\nInterrupted: stopping everything.\n');
        process.exit(code);
      }
      pending = code;
      process.stdout.write('\nInterrupted: stopping as soon as apt-get has come to a safe end.\n');
      interruptChildren();
    });
  }
}

/** Runs `work` to its end, and only then lets a signal end the process. The children of `work` get SIGINT. */
export async function uninterrupted<T>(work: () => Promise<T>): Promise<T> {
  shielded = true;
  try {
    return await work();
  } finally {
    shielded = false;
    if (pending !== undefined) process.exit(pending);
  }
}

/**
 * Gives a signal the time to end this process. To be called before a failure is reported: Ctrl-C also reaches the child
 * programs, and may be the only reason for their failure.
 */
export function unlessInterrupted(): Promise<void> {
  return sleep(100);
}

/** apt-get has a process group of its own, which Ctrl-C does not reach. It stops between two packages, never in one. */
function interruptChildren(): void {
  try {
    const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ').map(Number);
    for (const pid of children.filter((child) => child > 0)) process.kill(pid, 'SIGINT');
  } catch {
    // ended already, or a kernel without this file: then it is waited for
  }
}
