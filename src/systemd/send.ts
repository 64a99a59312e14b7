import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { Observable } from 'rxjs';
import { messageOf } from '../errors.js';
import type { Message } from './types.js';

/** How a message went: delivered, or why not. */
export type Sent = { readonly kind: 'delivered' } | { readonly kind: 'failed'; readonly why: string };

/**
 * Sends messages to systemd, in order. Each subscription to what it returns sends the message once. That emits once and
 * completes; it never errors. Unsubscription does not take the message back.
 */
export type Sender = (message: Message) => Observable<Sent>;

/** The longest that systemd-notify may take, in seconds. It ends when systemd has read the message: after some milliseconds. */
const DEADLINE_S = 5;

/** If the shell says nothing for this time, in milliseconds, it hangs: systemd-notify has its own deadline in it. */
const SHELL_DEADLINE_MS = (DEADLINE_S + 2) * 1000;

/**
 * Runs a program for each line of its input, with the parts between tabs as arguments, and prints how it ended. It ignores
 * SIGTERM, which systemd sends to all processes of a service that stops: the last message comes after that.
 */
const SCRIPT = `trap '' TERM INT HUP; set -f; IFS='\t'; program=$1
while read -r line; do set -- $line; timeout -s KILL ${DEADLINE_S} "$program" "$@" </dev/null >/dev/null 2>&1; echo $?; done`;

/** How a shell, or `timeout`, says that there is no such program. */
const NOT_FOUND = 127;

/**
 * Starts what sends messages. Node cannot send to a unix datagram socket, and a native module would have to be compiled on each
 * host, so systemd's own `systemd-notify` sends. It waits until systemd has read the message: systemd finds the unit of a
 * message by the process that sent it, which therefore must still live. The unit needs `NotifyAccess=all`.
 *
 * To start a child blocks Node's event loop for some milliseconds. So one shell is started, before anybody waits for a reply, and
 * starts the others. It ends with this process, when its input ends. If it has ended before, hangs, or could not be
 * started, the message fails, and the next one starts another.
 */
export function createSender(socket: string, program = 'systemd-notify', deadlineMs = SHELL_DEADLINE_MS): Sender {
  let shell = start(socket, program, deadlineMs);
  return (message) =>
    new Observable<Sent>((subscriber) => {
      if (shell.hasEnded()) shell = start(socket, program, deadlineMs);
      shell.run(assignmentsOf(message), (sent) => {
        subscriber.next(sent);
        subscriber.complete();
      });
    });
}

interface Shell {
  readonly run: (args: readonly string[], done: (sent: Sent) => void) => void;
  readonly hasEnded: () => boolean;
}

function start(socket: string, program: string, deadlineMs: number): Shell {
  const env = { NOTIFY_SOCKET: socket, PATH: process.env['PATH'] ?? '/usr/bin:/bin' };
  let child: ChildProcess;
  try {
    child = spawn('/bin/sh', ['-c', SCRIPT, 'sh', program], { env, stdio: ['pipe', 'pipe', 'ignore'] });
  } catch (error) {
    return noShell(messageOf(error)); // without memory, Node throws; without a free file, it emits
  }
  const { stdin, stdout } = child;
  const waiting: ((sent: Sent) => void)[] = [];
  let ended = false;
  const end = (why: string): void => {
    ended = true;
    for (const done of waiting.splice(0)) done({ kind: 'failed', why });
  };
  child.once('error', ({ message }) => {
    end(message);
  });
  child.once('exit', (code, signal) => {
    end(`the shell that runs ${program} ended with ${signal ?? code ?? 'nothing'}`);
  });
  if (!stdin || !stdout) return noShell('no free file for the pipes of a shell');
  stdin.on('error', () => undefined); // it has ended: `exit` tells
  createInterface(stdout).on('line', (code) => {
    waiting.shift()?.(sentBy(program, Number(code)));
  });
  letGo(child);
  return {
    run(args, done) {
      const deadline = setTimeout(() => {
        end(`the shell that runs ${program} hangs`);
        child.kill('SIGKILL');
      }, deadlineMs);
      deadline.unref();
      waiting.push((sent) => {
        clearTimeout(deadline);
        done(sent);
      });
      stdin.write(`${args.map((arg) => arg.replace(/[\t\n]/g, ' ')).join('\t')}\n`);
    },
    hasEnded: () => ended,
  };
}

/** In place of a shell that could not be started. */
function noShell(why: string): Shell {
  return {
    run(_, done) {
      done({ kind: 'failed', why });
    },
    hasEnded: () => true,
  };
}

function sentBy(program: string, code: number): Sent {
  if (code === 0) return { kind: 'delivered' };
  return { kind: 'failed', why: code === NOT_FOUND ? `${program} not found` : `${program} ended with ${code}` };
}

/** The child and its pipes do not keep this process alive. */
function letGo(child: ChildProcess): void {
  child.unref();
  for (const pipe of [child.stdin, child.stdout]) (pipe as { unref?: () => void } | null)?.unref?.();
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
