import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { text } from 'node:stream/consumers';
import { OTHERS_CORE, taskset } from '../../test/support/measuring/cores.js';

/** Checks of `/primary` at a steady rate. generator.py sends them, and not Node, so that it has no part in the measurement. */
export interface Checks {
  readonly ports: readonly number[];
  /** For each port. */
  readonly perSecond: number;
  readonly durationMs: number;
  /** Stops sending checks. */
  readonly end?: AbortSignal;
}

/** One check. Times are in milliseconds of the shared clock (monotonic.ts). */
export interface Check {
  readonly dueMs: number;
  readonly endMs: number;
  /** 0 if no complete reply came within the time-out. */
  readonly status: number;
}

/** A check without a reply after this time has failed. */
const TIMEOUT_MS = 10_000;

const script = fileURLToPath(new URL('../../../bench/support/generator.py', import.meta.url));

/** Checks all ports at the same time. Resolves with the checks of each port, in the order in which they were due. */
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

/** How long a load balancer waited, counted from when the check was due: a stall also delays the checks after it. */
export function waitedMs({ dueMs, endMs }: Check): number {
  return endMs - dueMs;
}
