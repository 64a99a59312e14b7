import { EMPTY, type Observable, defer, from } from 'rxjs';
import { type ProcessFacts, processWith, readProcess } from '../linux/process.js';
import { readPressure } from '../linux/pressure.js';
import { listeningAt } from '../linux/sockets.js';
import { isLoopback } from '../network/loopback.js';
import type { HostSample, PatroniSample } from './types.js';

/** Where Patroni's REST API is, as the configuration in force has it. */
export interface PatroniAddress {
  readonly host: string;
  readonly port: number;
}

/** The longest search for the process of Patroni. */
const SEARCH_MS = 2000;

/** After a search that found nothing, there is none for this time: a database host has thousands of processes. */
const SEARCH_EVERY_MS = 600_000;

/**
 * Looks at this host, once for each subscription: reads some files of /proc, one after the other, in Node's pool of threads.
 * Completes without a sample while an earlier look still waits for the kernel: at most one thread can hang. Errors if this
 * host's addresses cannot be listed, as without a free file.
 */
export function createHostLook(
  patroni: () => PatroniAddress,
  thisHost: () => { readonly hostname: string; readonly addresses: readonly string[] },
  nowMs: () => number,
): Observable<HostSample> {
  const findProcess = createProcessFinder(nowMs);
  let isLooking = false;
  const look = async (): Promise<HostSample> => {
    isLooking = true;
    try {
      const memory = await readPressure('memory');
      const io = await readPressure('io');
      const sample = await samplePatroni(patroni(), thisHost, findProcess);
      return { patroni: sample, ...(memory && { memory }), ...(io && { io }) };
    } finally {
      isLooking = false;
    }
  };
  return defer(() => (isLooking ? EMPTY : from(look())));
}

async function samplePatroni(
  { host, port }: PatroniAddress,
  thisHost: () => { readonly hostname: string; readonly addresses: readonly string[] },
  findProcess: ProcessFinder,
): Promise<PatroniSample> {
  if (!isLoopback(host)) {
    const { hostname, addresses } = thisHost();
    if (host !== hostname && !addresses.includes(host)) return { kind: 'other-host' };
  }
  const sockets = await listeningAt(host, port);
  const [first] = sockets;
  if (first === undefined) return { kind: 'gone' };
  const acceptQueue = sockets.reduce((sum, socket) => sum + socket.acceptQueue, 0);
  const process = await findProcess(first.inode);
  return { kind: 'listens', acceptQueue, ...(process && { process }) };
}

type ProcessFinder = (inode: string) => Promise<ProcessFacts | undefined>;

/** Remembers the process that has the socket, because the search looks at all processes. */
function createProcessFinder(nowMs: () => number): ProcessFinder {
  let known: { readonly inode: string; readonly pid: number | undefined; readonly atMs: number } | undefined;
  return async (inode) => {
    const isStale = known?.pid === undefined && nowMs() - (known?.atMs ?? -Infinity) >= SEARCH_EVERY_MS;
    if (known?.inode !== inode || isStale) {
      const pid = await processWith(inode, AbortSignal.timeout(SEARCH_MS));
      known = { inode, pid, atMs: nowMs() };
    }
    return known.pid === undefined ? undefined : readProcess(known.pid);
  };
}
