import { spawn } from 'node:child_process';
import { Observable } from 'rxjs';
import type { Message } from './types.js';

/** How a message went: delivered, or why not. */
export type Sent = { readonly kind: 'delivered' } | { readonly kind: 'failed'; readonly why: string };

/** The longest that systemd-notify may take. It ends when systemd has read the message, usually after some milliseconds. */
const DEADLINE_MS = 5000;

/**
 * Tells systemd. Node cannot send to a unix datagram socket, and a native module would have to be compiled on each host, so
 * systemd's own `systemd-notify` sends. It waits until systemd has read the message: systemd finds the unit of a message by
 * the process that sent it, which therefore must still live. The unit needs `NotifyAccess=all`.
 *
 * Emits once and completes; never errors. Unsubscription ends the child.
 */
export function sendToSystemd(socket: string, message: Message, program = 'systemd-notify'): Observable<Sent> {
  return new Observable<Sent>((subscriber) => {
    const end = (sent: Sent): void => {
      subscriber.next(sent);
      subscriber.complete();
    };
    const child = spawn(program, assignmentsOf(message), {
      env: { NOTIFY_SOCKET: socket, PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
      stdio: 'ignore',
      timeout: DEADLINE_MS,
      killSignal: 'SIGKILL',
    });
    child.once('error', ({ message: why }) => {
      end({ kind: 'failed', why });
    });
    child.once('exit', (code, signal) => {
      if (code === 0) end({ kind: 'delivered' });
      else end({ kind: 'failed', why: `${program} ended with ${signal ?? code ?? 'nothing'}` });
    });
    return () => {
      child.kill('SIGKILL');
    };
  });
}

/** The lines of sd_notify(3). */
export function assignmentsOf({ state, status, watchdog }: Message): readonly string[] {
  const assignments: string[] = [];
  if (state === 'ready') assignments.push('READY=1');
  else if (state === 'stopping') assignments.push('STOPPING=1');
  else if (state !== undefined) assignments.push('RELOADING=1', `MONOTONIC_USEC=${Math.round(state.reloadingSinceUs)}`);
  if (status !== undefined) assignments.push(`STATUS=${status}`);
  if (watchdog) assignments.push('WATCHDOG=1');
  return assignments;
}
