import { readFileSync, readdirSync } from 'node:fs';

/** More connections than load balancers ever hold, and within the usual limit of 1,024 open files. */
export const MAX_CONNECTIONS = 900;

/** For listeners, look-ups of names, /proc/uptime, and the one connection too many that is open until the oldest is ended. */
const SPARE_FILES = 10;

/** Roughly the files that the program has open while it starts: its event loop, its log, and what Node needs. */
const FILES_AT_START = 40;

/** A limit of open files that does not make the number of connections smaller, beside a number of polls. */
export function ampleOpenFiles(polls: number): number {
  return MAX_CONNECTIONS + polls + SPARE_FILES + FILES_AT_START;
}

/** How many connections may be open, and the limit of open files, if it allows fewer than {@link MAX_CONNECTIONS}. */
export interface OpenFilesBudget {
  readonly connections: number;
  readonly openFilesLimit?: number;
}

/**
 * To be called at the start: counts the files that are open now. The function that it returns says how many connections may
 * be open, so that a number of polls still have their files under this process's limit. Without this bound, a crowd of
 * clients would take the files of the polls as well. And if accept() finds no file left, libuv ends every connection in the
 * queue without a word.
 */
export function measureOpenFiles(): (polls: number) => OpenFilesBudget {
  const openFilesLimit = limitOfOpenFiles();
  const openFiles = countOpenFiles() ?? 0;
  return (polls) => {
    const connections = openFilesLimit - openFiles - polls - SPARE_FILES;
    if (connections >= MAX_CONNECTIONS) return { connections: MAX_CONNECTIONS };
    return { connections: Math.max(1, connections), openFilesLimit };
  };
}

/** The limit in force (Node has raised it to the hard limit); Infinity if there is no limit, or no /proc to read it from. */
function limitOfOpenFiles(): number {
  try {
    const limit = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return limit === undefined ? Infinity : Number(limit);
  } catch {
    return Infinity;
  }
}

/** How many files this process has open; `undefined` without a /proc to count them in. */
export function countOpenFiles(): number | undefined {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return undefined;
  }
}
