import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask } from '../../test/support/clients/http-get.js';
import { nowMs } from '../../test/support/time/monotonic.js';
import type { Figure, Row } from '../support/figure.js';
import { cachingPeers, nodeHttp, patroniglue } from '../peers/all.js';
import type { Peer } from '../peers/peer.js';
import { spreadOf } from '../support/statistics.js';
import { startBenchUpstream } from '../support/upstream.js';

const RUNS = 7;
const GIVEN_UP_MS = 10_000;

/** How long HAProxy has nobody to ask when the service is started anew. */
export const startUp: Figure = {
  name: 'start-up',
  title: `From the start of the process to the first 200 of /primary through it, with files in the page cache: ${RUNS} times.`,
  async run() {
    const upstream = await startBenchUpstream();
    try {
      const rows: Row[] = [];
      for (const peer of [...cachingPeers(), nodeHttp]) {
        await startOnce(peer, upstream.port); // fills the page cache
        const times: number[] = [];
        for (let run = 0; run < RUNS; run += 1) times.push(await startOnce(peer, upstream.port));
        rows.push(row(peer.name, times, peer === patroniglue));
      }
      return { rows: [...rows, row('node that does nothing', Array.from({ length: RUNS }, startNode), false)] };
    } finally {
      await upstream.close();
    }
  },
};

function row(label: string, times: readonly number[], isOurs: boolean): Row {
  return { label, measures: [{ name: 'median', ...spreadOf(times), unit: 'ms', ...(isOurs && { below: 1000 }) }] };
}

/** For comparison: on a busy machine everything starts slowly. */
function startNode(): number {
  const startedMs = nowMs();
  execFileSync(process.execPath, ['--eval', ''], { env: {} });
  return nowMs() - startedMs;
}

async function startOnce(peer: Peer, upstreamPort: number): Promise<number> {
  const startedMs = nowMs();
  const running = await peer.start({ upstreamPort });
  try {
    while ((await ask(running.port, '/primary', { deadlineMs: 500 })).status !== 200) {
      if (nowMs() - startedMs > GIVEN_UP_MS) throw new Error(`${peer.name}: no 200 after a start`);
      await sleep(2);
    }
    return nowMs() - startedMs;
  } finally {
    await running.close();
  }
}
