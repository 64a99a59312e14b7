import { run } from '../processes/processes.js';
import { findProgram } from '../processes/programs.js';

/** Runs curl, without its progress meter; resolves with its output, rejects with it when the exit code is not 0. */
export function curl(...args: readonly string[]): Promise<string> {
  return run('curl', findProgram('curl'), ['-sS', ...args], { env: {} });
}

/** What one curl was told, URL by URL. */
export interface CurlReport {
  readonly statuses: readonly number[];
  /** How many connections it had to make for each. */
  readonly connects: readonly number[];
}

/** One run of curl for several paths at a loopback port, each with the same flags. */
export async function curlEach(
  port: number,
  paths: readonly string[],
  ...flags: readonly string[]
): Promise<CurlReport> {
  const urls = paths.flatMap((path) => ['-o', '/dev/null', `http://127.0.0.1:${port}${path}`]);
  const output = await curl(...flags, '-w', '%{http_code} %{num_connects}\n', ...urls);
  const lines = output
    .trim()
    .split('\n')
    .map((line) => line.split(' ').map(Number));
  return { statuses: lines.map(([status = 0]) => status), connects: lines.map(([, connects = 0]) => connects) };
}
