import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { text } from 'node:stream/consumers';
import { OTHERS_CORE, taskset } from '../../test/support/measuring/cores.js';

/** Checks of `/primary` at a steady rate: see generator.py, which is no TypeScript so that it has no part in what it measures. */
export interface Checks {
  readonly ports: readonly number[];
  /** At each of the ports. */
  readonly perSecond: number;
  readonly durationMs: number;
  /** No more are sent from then on. */
  readonly end?: AbortSignal;
}

/** One check. Moments are in milliseconds by the shared clock (monotonic.ts). */
export interface Check {
  readonly dueMs: number;
  readonly endMs: number;
  /** 0 where no whole reply came within the time-out. */
  readonly status: number;
}

/** A check that is not answered by then has failed. */
const TIMEOUT_MS = 10_000;

const script = fileURLToPath(new URL('../../../bench/support/generator.py', import.meta.url));

/** Checks all ports at once; resolves with the checks of each, in the order in which they were due. */
export async function checkPorts({
  ports,
  perSecond,
  durationMs,
  end,
}: Checks): Promise<readonly (readonly Check[])[]> {
  const command = [...(taskset ? [taskset, '-c', String(OTHERS_CORE)] : []), 'python3', script];
  const child = spawn(command[0] ?? '', command.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
  const exit = once(child, 'exit');
  child.stdin.write(`${JSON.stringify({ ports, path: '/primary', perSecond, durationMs, timeoutMs: TIMEOUT_MS })}\n`);
  end?.addEventListener('abort', () => child.stdin.end());
  const lines = (await text(child.stdout)).trim().split('\n');
  const [code] = (await exit) as [number | null];
  child.stdin.destroy();
  if (code !== 0) throw new Error(`generator.py ended with ${code ?? 'a signal'}`);
  const checks = ports.map((): Check[] => []);
  for (const line of lines) {
    const [index = 0, dueMs = NaN, endMs = NaN, status = 0] = line.split(' ').map(Number);
    checks[index]?.push({ dueMs, endMs, status });
  }
  for (const ofPort of checks) ofPort.sort((a, b) => a.dueMs - b.dueMs);
  return checks;
}

/** What a load balancer waited, from when the check was due: a stall delays the checks behind it too. */
export function waitedMs({ dueMs, endMs }: Check): number {
  return endMs - dueMs;
}
