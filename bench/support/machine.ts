import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { taskset } from '../../test/support/measuring/cores.js';

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
