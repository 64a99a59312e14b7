import { readFileSync, readdirSync, readlinkSync } from 'node:fs';

/** A process's resident memory in MB (10^6 bytes). */
export function residentMB(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return (Number(kib) * 1024) / 1e6;
}

/** The CPU time that the threads of a process have used so far, in milliseconds. Threads that have ended do not count. */
export function cpuMs(pid: number): number {
  const ofThread = (id: string): number =>
    Number(readFileSync(`/proc/${pid}/task/${id}/schedstat`, 'utf8').split(' ')[0]);
  return readdirSync(`/proc/${pid}/task`).reduce((sum, id) => sum + ofThread(id), 0) / 1e6;
}

/** How many files a process has open now: polls come and go. */
export function openFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** What the open files of a process are (`socket:[4711]`), but for those that it closes while they are looked at. */
export function filesOf(pid: number): string[] {
  const dir = `/proc/${pid}/fd`;
  return readdirSync(dir).flatMap((fd) => {
    try {
      return [readlinkSync(`${dir}/${fd}`)];
    } catch {
      return [];
    }
  });
}

/** How long a process's main thread has been ready to run and had no core, in milliseconds. */
export function starvedMs(pid: number): number {
  const ns = /^\d+ (\d+) /.exec(readFileSync(`/proc/${pid}/schedstat`, 'utf8'))?.[1];
  return Number(ns) / 1e6;
}

/** Whether a process is stopped, by SIGSTOP say. */
export function isStopped(pid: number): boolean {
  return /^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
}
