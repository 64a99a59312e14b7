import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { OTHERS_CORE, taskset } from '../../test/support/measuring/cores.js';
import { findProgram } from '../../test/support/processes/programs.js';

const run = promisify(execFile);

/** How checks connect: each on a fresh connection, as HAProxy's do, or on connections that stay open. */
export type Way = 'fresh' | 'keep-alive' | 'fresh TLS';

const CONNECTIONS = 32;

/** How many checks of `/primary` a server can answer per second. wrk sends them, and does not run on the server's core. */
export async function answersPerSecond(port: number, way: Way, seconds: number): Promise<number> {
  const close = way === 'keep-alive' ? [] : ['-H', 'Connection: close'];
  const url = `${way === 'fresh TLS' ? 'https' : 'http'}://127.0.0.1:${port}/primary`;
  const command = [findProgram('wrk'), '-t', '1', '-c', String(CONNECTIONS), '-d', `${seconds}s`, ...close, url];
  const [program = '', ...args] = taskset ? [taskset, '-c', String(OTHERS_CORE), ...command] : command;
  const { stdout } = await run(program, args);
  const other = /Non-2xx or 3xx responses: (\d+)/.exec(stdout)?.[1];
  if (other !== undefined) throw new Error(`${other} of the replies at port ${port} are not 200`);
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]);
}
