import { spawn, type ChildProcess } from 'node:child_process';
import { within } from '../time/wait.js';

/** How a process ended: `code` or `signal`. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The account that a process runs as. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface ProcessOptions {
  /** The whole environment: nothing is inherited, so that a developer's PGHOST or http_proxy changes no test. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly owner?: Owner | undefined;
}

/** A child process in a process group of its own. */
export interface Running {
  readonly name: string;
  readonly pid: number;
  /** The last 256 KiB of standard output and standard error, in order of arrival. */
  output(): string;
  /** Resolves when the process has ended and its output is read; never rejects. */
  readonly exit: Promise<Exit>;
  /** False as soon as the process has ended. */
  alive(): boolean;
  /** Sends a signal to the process alone; nothing if it has ended. */
  signal(signal: NodeJS.Signals): void;
  /** SIGTERM (or another signal), then waits; after `deadlineMs` SIGKILL, and rejects. */
  stop(deadlineMs?: number, signal?: NodeJS.Signals): Promise<Exit>;
  /** SIGKILL to the whole group, which ends stopped (SIGSTOP) processes too; resolves when the process is gone. */
  kill(): Promise<Exit>;
}

const OUTPUT_LIMIT = 256 * 1024;

/** Starts a program. Rejects if it can't be started at all (not there, not executable). */
export async function startProcess(
  name: string,
  command: string,
  args: readonly string[],
  options: ProcessOptions,
): Promise<Running> {
  const child = spawn(command, args, {
    env: { ...coverageEnv(), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // a group of its own, so that kill() reaches its children
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...options.owner,
  });
  const pid = await started(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-OUTPUT_LIMIT);
    });
  }
  let ended = false;
  // 'exit', not 'close': a grandchild that was detached (PostgreSQL under Patroni) may hold the pipes for as long as it lives.
  const exit = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => {
      ended = true;
      setImmediate(resolve, { code, signal }); // lets what is in the pipes arrive
    });
  });

  const running: Running = {
    name,
    pid,
    output: () => output,
    exit,
    alive: () => !ended,
    signal: (signal) => {
      if (!ended) child.kill(signal);
    },
    stop: async (deadlineMs = 15_000, signal = 'SIGTERM') => {
      running.signal(signal);
      try {
        return await within(`${name} ends after ${signal}`, deadlineMs, exit);
      } catch (error) {
        await running.kill();
        throw error;
      }
    },
    kill: async () => {
      killGroup(pid);
      return exit;
    },
  };
  return running;
}

/** Where a process of Node's writes which lines it has run, while `npm run coverage` asks for that. */
export function coverageEnv(): Record<string, string> {
  const dir = process.env['NODE_V8_COVERAGE'];
  return dir === undefined ? {} : { NODE_V8_COVERAGE: dir };
}

/** Runs a program to its end; resolves with its output, rejects with it when the exit code is not 0. */
export async function run(
  name: string,
  command: string,
  args: readonly string[],
  options: ProcessOptions & { readonly deadlineMs?: number },
): Promise<string> {
  const running = await startProcess(name, command, args, options);
  let exit: Exit;
  try {
    exit = await within(`${name} ends`, options.deadlineMs ?? 30_000, running.exit);
  } catch (error) {
    await running.kill();
    throw error;
  }
  if (exit.code === 0) return running.output();
  throw new Error(`${name} ended with ${exit.signal ?? exit.code ?? 'nothing'}: ${running.output().trim()}`);
}

/** SIGKILL to a process group; nothing if there is none. */
export function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // gone already
  }
}

function started(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('spawn', () => {
      resolve(child.pid ?? 0);
    });
  });
}
