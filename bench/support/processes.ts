import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { openFiles } from '../../test/support/measuring/proc.js';
import { type Service, startService } from '../../test/support/processes/service.js';
import { SERVICE_CORE, taskset } from '../../test/support/measuring/cores.js';

/** The times that a figure is taken with, in seconds, as config.yml has them. */
export interface Pace {
  readonly ttl: number;
  readonly interval: number;
}

/** What a service has that is not configured. */
export const DEFAULT_PACE: Pace = { ttl: 4, interval: 1 };

/** Shorter times, where more polls in less time show more. */
export const BRISK_PACE: Pace = { ttl: 1, interval: 0.25 };

/** The service as users run it (no line per request), on a core of its own, with an answer to every default route. */
export async function startBenchService(
  upstreamPort: number,
  cache: Pace = DEFAULT_PACE,
  backend: Readonly<Record<string, unknown>> = {},
): Promise<Service> {
  const service = await startService({
    config: { backend: { host: '127.0.0.1', port: upstreamPort, ...backend }, cache: { ...cache } },
    flags: [],
  });
  pinToServiceCore(service.pid);
  while ((await service.get('/-/ready')).status !== 200) await sleep(10);
  return service;
}

function pinToServiceCore(pid: number): void {
  if (taskset) execFileSync(taskset, ['-a', '-c', '-p', String(SERVICE_CORE), String(pid)], { stdio: 'ignore' });
}

/** The files that a process has open at rest: the fewest seen within `durationMs`, since polls come and go. */
export async function openFilesAtRest(pid: number, durationMs: number): Promise<number> {
  const counts: number[] = [];
  for (let sampledMs = 0; sampledMs < durationMs; sampledMs += 10) {
    counts.push(openFiles(pid));
    await sleep(10);
  }
  return Math.min(...counts);
}
