import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { OTHERS_CORE, taskset } from '../../test/support/measuring/cores.js';
import { findProgram } from '../../test/support/processes/programs.js';

const run = promisify(execFile);

/** Checks at a steady rate, each on its own connection. nghttp2's h2load sends them: generator.py does not reach these rates. */
export interface FastChecks {
  readonly port: number;
  readonly route: string;
  readonly perSecond: number;
  readonly durationMs: number;
}

/** Resolves with the number of checks, and how many of them got a 2xx. */
export async function checkFast(load: FastChecks): Promise<{ readonly checks: number; readonly good: number }> {
  const { port, route, perSecond, durationMs } = load;
  const checks = Math.max(1, Math.round((perSecond * durationMs) / 1000));
  const periodMs = Math.max(1, Math.round(1000 / perSecond));
  const perPeriod = Math.max(1, Math.round((perSecond * periodMs) / 1000));
  const counts = ['-n', String(checks), '-c', String(checks)];
  const rate = ['-r', String(perPeriod), `--rate-period=${periodMs}ms`, '-T', '10s', '-N', '10s'];
  const command = [findProgram('h2load'), '--h1', ...counts, ...rate, `http://127.0.0.1:${port}${route}`];
  const [program = '', ...args] = taskset ? [taskset, '-c', String(OTHERS_CORE), ...command] : command;
  const { stdout } = await run(program, args, { maxBuffer: 1e8 });
  return { checks, good: Number(/status codes: (\d+) 2xx/.exec(stdout)?.[1] ?? 0) };
}
