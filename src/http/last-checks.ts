import type { CheckRequest, LastCheck } from './types.js';

/** Remembers for each polled route who asked last. */
export interface LastChecks {
  /** Called by every check. */
  note(route: string, client: Pick<CheckRequest, 'connection' | 'proxyClient'>): void;
  of(route: string): LastCheck | undefined;
  /** Drops a route that is no longer polled. Otherwise a client that varies its query would fill the memory. */
  forget(route: string): void;
}

/**
 * Checks of a route within this time, in milliseconds, count as one: the first of them is remembered. The kernel must be asked
 * for the address on each new connection, and load balancers open one for each check.
 */
const TOGETHER_MS = 200;

/** Remembers nothing at first. */
export function createLastChecks(nowMs: () => number): LastChecks {
  const checks = new Map<string, LastCheck>();
  return {
    note(route, { connection, proxyClient }) {
      const atMs = nowMs();
      const before = checks.get(route);
      if (before !== undefined && atMs - before.atMs < TOGETHER_MS) return;
      const address = proxyClient ?? connection?.remoteAddress;
      checks.set(route, address === undefined ? { atMs } : { address, atMs });
    },
    of: (route) => checks.get(route),
    forget(route) {
      checks.delete(route);
    },
  };
}
