import { accessSync, constants } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { delimiter, join } from 'node:path';

/** What the figures were taken on. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGB: number;
  readonly kernel: string;
  readonly node: string;
  /** Whether the service and the load generator had a core each. */
  readonly pinned: boolean;
}

/** This machine. */
export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGB: Math.round(totalmem() / 1e9),
    kernel: release(),
    node: process.version,
    pinned: taskset !== undefined,
  };
}

/** The core of the service under test; everything else runs on {@link OTHERS_CORE}. */
export const SERVICE_CORE = 1;
export const OTHERS_CORE = 0;

/** util-linux's taskset; `undefined` where it is missing or would do nothing, since there is one core. */
export const taskset = availableParallelism() > 1 ? inPath('taskset') : undefined;

function inPath(name: string): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((dir) => join(dir, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
