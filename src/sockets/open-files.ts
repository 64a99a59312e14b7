import { readFileSync, readdirSync } from 'node:fs';

/** More than a load balancer and its friends ever hold, and within the usual limit of 1,024 open files. */
export const MAX_CONNECTIONS = 900;

/** For listeners, look-ups of names, /proc/uptime, and the one connection too many that is there when the oldest ends. */
const SPARE_FILES = 10;

/** How many connections there is room for, and the limit of open files that makes it fewer than {@link MAX_CONNECTIONS}. */
export interface Room {
  readonly connections: number;
  readonly openFilesLimit?: number;
}

/**
 * The connections that leave room for so many polls under this process's limit of open files, by what is open now: at the
 * start. Without it a crowd would take the polls' files too; and where accept() finds none left, libuv ends every connection
 * in the queue in silence.
 */
export function measureRoom(): (polls: number) => Room {
  const openFilesLimit = limitOfOpenFiles();
  const openFiles = countOpenFiles();
  return (polls) => {
    const connections = openFilesLimit - openFiles - polls - SPARE_FILES;
    if (connections >= MAX_CONNECTIONS) return { connections: MAX_CONNECTIONS };
    return { connections: Math.max(1, connections), openFilesLimit };
  };
}

/** The limit in force (Node has raised it to the hard one); Infinity where there is none, or no /proc to tell. */
function limitOfOpenFiles(): number {
  try {
    const limit = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return limit === undefined ? Infinity : Number(limit);
  } catch {
    return Infinity;
  }
}

function countOpenFiles(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return 0;
  }
}
