import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { chown, mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { closeAtTheEnd } from './leftovers.js';
import { killGroup, run, startProcess, type Exit, type Owner, type Running } from './processes.js';
import { eventually } from '../time/wait.js';

/**
 * A temporary directory and the processes that work in it. `close` ends all of them, with SIGKILL and stopped ones
 * included, then removes the directory; it may be called at any time and more than once. Should the test process itself end
 * first (an exception, Ctrl-C), the same happens on its way out.
 */
export interface Workspace {
  /** Short, since paths of unix sockets end at 107 bytes. */
  readonly dir: string;
  readonly owner: Owner | undefined;
  /** An absolute path inside. */
  path(name: string): string;
  /** Writes a file that the workspace's owner may read; returns its path. */
  write(name: string, text: string): Promise<string>;
  /** Makes a directory that belongs to the workspace's owner; returns its path. */
  mkdir(name: string): Promise<string>;
  /** Starts a process as the workspace's owner (see `startProcess`). */
  start(name: string, command: string, args: readonly string[], env?: Record<string, string>): Promise<Running>;
  /** Runs a program to its end as the workspace's owner (see `run`). */
  run(name: string, command: string, args: readonly string[], env?: Record<string, string>): Promise<string>;
  /** The end of what each started process has written: for the message of a failure. */
  logs(): string;
  /** Process ids of all that works here now: started ones, their children, and PostgreSQL. Linux only: reads /proc. */
  processes(): number[];
  close(): Promise<void>;
}

/** Handed on by every child to its children, so that daemons (pm2's) are found again in /proc. */
const MARK = 'WORKSPACE_OF_PATRONIGLUE';

const open = new Set<{ abandon: () => void }>();

/** Makes a workspace under the system's temporary directory; `owner` is whom it belongs to and who runs its processes. */
export async function createWorkspace(owner?: Owner): Promise<Workspace> {
  const dir = mkdtempSync(join(tmpdir(), 'pglue-')); // at once, so that no signal finds it unregistered
  const started: Running[] = [];
  const env = (more: Record<string, string> = {}): Record<string, string> => ({
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    LANG: 'C.UTF-8',
    HOME: dir,
    [MARK]: dir,
    ...more,
  });
  const give = async (path: string): Promise<string> => {
    if (owner !== undefined) await chown(path, owner.uid, owner.gid);
    return path;
  };
  const path = (name: string): string => join(dir, name);
  const killAll = (): void => {
    for (const { pid } of started.filter((running) => running.alive())) killGroup(pid);
    for (const pid of workingIn(dir)) kill(pid);
  };
  const entry = {
    abandon: (): void => {
      killAll();
      rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
      open.delete(entry); // last: until here a signal must still clean up
    },
  };
  open.add(entry);
  cleanUpOnTheWayOut();
  await give(dir);

  const workspace: Workspace = {
    dir,
    owner,
    path,
    write: async (name, text) => {
      await writeFile(path(name), text, { mode: 0o600 });
      return give(path(name));
    },
    mkdir: async (name) => {
      await mkdir(path(name), { recursive: true, mode: 0o700 });
      return give(path(name));
    },
    start: async (name, command, args, more) => {
      const running = await startProcess(name, command, args, { env: env(more), cwd: dir, owner });
      started.push(running);
      return running;
    },
    run: (name, command, args, more) => run(name, command, args, { env: env(more), cwd: dir, owner }),
    logs: () =>
      started
        .map((running) => `--- ${running.name}\n${running.output().trimEnd().split('\n').slice(-15).join('\n')}`)
        .join('\n'),
    processes: () => workingIn(dir),
    close: async () => {
      await eventually(`nothing runs in ${dir} any more`, 10_000, () => {
        killAll(); // again, since a process may have started another one while it was looked for
        return workingIn(dir).length === 0;
      });
      await Promise.all(started.map((running): Promise<Exit> => running.exit));
      rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
      open.delete(entry); // last: until here a signal must still clean up
      forget();
    },
  };
  const forget = closeAtTheEnd(() => workspace.close());
  return workspace;
}

/**
 * Processes that carry the workspace's mark in their environment, or that are PostgreSQL's with a data directory inside:
 * Patroni starts PostgreSQL detached, and with an environment of its own.
 */
function workingIn(dir: string): number[] {
  const mark = `${MARK}=${dir}`;
  if (!existsSync('/proc/self/environ')) return []; // not Linux
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid)
    .filter((pid) => {
      try {
        if (/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) return false;
        if (readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(mark)) return true;
        const isPostgres = readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'postgres';
        return isPostgres && readlinkSync(`/proc/${pid}/cwd`).startsWith(`${dir}/`);
      } catch {
        return false; // gone, or somebody else's
      }
    });
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // gone already
  }
}

let watching = false;

function cleanUpOnTheWayOut(): void {
  if (watching) return;
  watching = true;
  const abandonAll = (): void => {
    for (const { abandon } of open) abandon();
    open.clear();
  };
  process.once('exit', abandonAll);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      abandonAll();
      process.kill(process.pid, signal);
    });
  }
}
