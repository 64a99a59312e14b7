import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { ask } from '../test/support/http-get.js';
import { freePort } from '../test/support/ports.js';
import { mainFile } from '../test/support/service.js';
import { createWorkspace } from '../test/support/workspace.js';
import { nowMs } from '../test/support/monotonic.js';
import type { Figure, Row } from './figure.js';
import { median, quantile } from './statistics.js';
import { type BenchUpstream, startBenchUpstream } from './upstream.js';

const RUNS = 7;
const GIVEN_UP_MS = 5_000;

/** How long HAProxy has nobody to ask when the service is started anew. */
export const startUp: Figure = {
  name: 'start-up',
  title: 'From exec of the service to the first 200 of /primary through it, with files in the page cache.',
  async run() {
    const upstream = await startBenchUpstream();
    try {
      await startOnce(upstream); // fills the page cache
      const times: number[] = [];
      const bare: number[] = [];
      for (let run = 0; run < RUNS; run += 1) {
        times.push(await startOnce(upstream));
        bare.push(startNode());
      }
      return [row(`${RUNS} starts of the service`, times, 1000), row('node that does nothing', bare)];
    } finally {
      await upstream.close();
    }
  },
};

function row(label: string, times: readonly number[], below?: number): Row {
  return {
    label,
    measures: [
      { name: 'median', value: median(times), unit: 'ms' },
      { name: 'max', value: quantile(times, 1), unit: 'ms', ...(below !== undefined && { below }) },
    ],
  };
}

/** For comparison: on a busy machine everything starts slowly. */
function startNode(): number {
  const startedMs = nowMs();
  execFileSync(process.execPath, ['--eval', ''], { env: {} });
  return nowMs() - startedMs;
}

async function startOnce(upstream: BenchUpstream): Promise<number> {
  const workspace = await createWorkspace();
  try {
    const port = await freePort();
    const config = { frontend: { host: '127.0.0.1', port }, backend: { host: '127.0.0.1', port: upstream.port } };
    const file = await workspace.write('config.yml', stringify(config));
    const startedMs = nowMs();
    await workspace.start('patroniglue', process.execPath, [mainFile, '--config', file]);
    while ((await ask(port, '/primary', { deadlineMs: 500 })).status !== 200) {
      if (nowMs() - startedMs > GIVEN_UP_MS) throw new Error(`no 200 after a start:\n${workspace.logs()}`);
      await sleep(2);
    }
    return nowMs() - startedMs;
  } finally {
    await workspace.close();
  }
}
