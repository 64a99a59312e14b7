import type { Dir } from 'node:fs';
import { opendir, readFile, readdir, readlink } from 'node:fs/promises';

/** What `/proc` says about a process. What may not be read is left out. */
export interface ProcessFacts {
  readonly pid: number;
  /** `R` runs, `S` sleeps, `D` waits for a disk, `T` is stopped, `Z` has ended: proc_pid_stat(5). */
  readonly state: string;
  readonly threads: number;
  /** CPU time since the start of the process, in milliseconds. */
  readonly cpuMs: number;
  /** When the process started, in ticks since the boot: with the PID, it names the process. */
  readonly startedAt: number;
  /** The function of the kernel in which the main thread waits. */
  readonly waitsIn?: string;
  readonly openFiles?: number;
  readonly openFilesLimit?: number;
}

/** `USER_HZ` of Linux, in ticks per second. */
const TICKS_PER_S = 100;

/** State, threads, CPU time and start in the text of `/proc/PID/stat`; `undefined` if it has another form. */
export function statIn(text: string): Omit<ProcessFacts, 'pid'> | undefined {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' '); // the name in brackets may have any character
  const number = (field: number): number => Number(fields[field - 3]); // the first field after the name is number 3
  const [state = ''] = fields;
  const [userTicks, systemTicks, threads, startedAt] = [number(14), number(15), number(20), number(22)];
  if (!/^[A-Za-z]$/.test(state) || ![userTicks, systemTicks, threads, startedAt].every(Number.isInteger)) {
    return undefined;
  }
  return { state, threads, cpuMs: ((userTicks + systemTicks) * 1000) / TICKS_PER_S, startedAt };
}

/** The limit of open files in the text of `/proc/PID/limits`: Infinity for `unlimited`. */
export function openFilesLimitIn(text: string): number | undefined {
  const [, soft] = /^Max open files +(\d+|unlimited) /m.exec(text) ?? [];
  return soft === undefined ? undefined : soft === 'unlimited' ? Infinity : Number(soft);
}

/** Reads what `/proc` says about a process; `undefined` if there is no such process, or if it may not be seen. Never rejects. */
export async function readProcess(pid: number): Promise<ProcessFacts | undefined> {
  const stat = statIn((await readText(`/proc/${pid}/stat`)) ?? '');
  if (stat === undefined) return undefined;
  const waitsIn = await readText(`/proc/${pid}/wchan`);
  const openFilesLimit = openFilesLimitIn((await readText(`/proc/${pid}/limits`)) ?? '');
  const openFiles = await countFiles(pid);
  return {
    pid,
    ...stat,
    ...(waitsIn !== undefined && /^[\w.]{2,}$/.test(waitsIn) && { waitsIn }), // `0`: it does not wait, or may not be seen
    ...(openFiles !== undefined && { openFiles }),
    ...(openFilesLimit !== undefined && { openFilesLimit }),
  };
}

/** The most processes whose files are looked at, and the most files of each: a program listens before it opens many. */
const MAX_PROCESSES = 4096;
const MAX_FILES = 256;

/** How many files of a process are read at a time. A process may have a million: to list them all would hold up the event loop. */
const FILES_AT_A_TIME = 256;

/** A database host has thousands of them, and none of them has the socket of another program. */
const SKIPPED = 'postgres';

/**
 * The process that has a socket open. `undefined` if none of the processes that may be seen has it. Reads one file at a time,
 * and ends when the signal says so. Never rejects.
 */
export async function processWith(inode: string, signal: AbortSignal): Promise<number | undefined> {
  const pids = (await readdir('/proc').catch((): string[] => []))
    .filter((name) => /^\d+$/.test(name))
    .slice(0, MAX_PROCESSES);
  for (const pid of pids) {
    if (signal.aborted) return undefined;
    if ((await readText(`/proc/${pid}/comm`))?.startsWith(SKIPPED) === true) continue;
    if (await hasSocket(pid, inode, signal)) return Number(pid);
  }
  return undefined;
}

async function hasSocket(pid: string, inode: string, signal: AbortSignal): Promise<boolean> {
  let looked = 0;
  try {
    for await (const { name } of await openFilesOf(pid)) {
      if (signal.aborted || looked === MAX_FILES) return false;
      looked += 1;
      const target = await readlink(`/proc/${pid}/fd/${name}`).catch(() => undefined); // closed meanwhile
      if (target === `socket:[${inode}]`) return true;
    }
  } catch {
    // not permitted, or the process has ended
  }
  return false;
}

async function countFiles(pid: number): Promise<number | undefined> {
  let count = 0;
  try {
    for await (const file of await openFilesOf(pid)) if (file.name !== '') count += 1;
    return count;
  } catch {
    return undefined;
  }
}

function openFilesOf(pid: number | string): Promise<Dir> {
  return opendir(`/proc/${pid}/fd`, { bufferSize: FILES_AT_A_TIME });
}

function readText(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}
