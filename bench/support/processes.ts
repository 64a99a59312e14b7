import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { openFiles } from '../../test/support/measuring/proc.js';
import { type Service, startService } from '../../test/support/processes/service.js';
import { SERVICE_CORE, taskset } from '../../test/support/measuring/cores.js';

/** The times of `cache` in config.yml that a figure uses, in seconds. */
export interface Pace {
  readonly ttl: number;
  readonly interval: number;
}

/** The defaults of the service. */
export const DEFAULT_PACE: Pace = { ttl: 4, interval: 1 };

/** Shorter times, for figures that need many polls in a short time. */
export const BRISK_PACE: Pace = { ttl: 1, interval: 0.25 };

/** Starts the service as users run it (no line per request), on its own core. Resolves when every default route has an answer. */
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

/** How many files a process has open at rest: the smallest number within `durationMs`, because polls open and close some. */
export async function openFilesAtRest(pid: number, durationMs: number): Promise<number> {
  const counts: number[] = [];
  for (let sampledMs = 0; sampledMs < durationMs; sampledMs += 10) {
    counts.push(openFiles(pid));
    await sleep(10);
  }
  return Math.min(...counts);
}
