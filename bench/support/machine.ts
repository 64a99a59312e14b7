import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { taskset } from '../../test/support/measuring/cores.js';

/** The machine on which the bench ran. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGB: number;
  readonly kernel: string;
  readonly node: string;
  /** True if the service and the load generator each had their own core. */
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
