import { setTimeout as sleep } from 'node:timers/promises';
import { type Attack, startAttacks } from '../../test/support/attacks/attacks.js';
import { type Check, checkPorts, waitedMs } from '../support/checks.js';
import type { Figure, Row } from '../support/figure.js';
import { nodeHttp } from '../peers/constant.js';
import type { RunningPeer } from '../peers/peer.js';
import { startBenchService } from '../support/processes.js';
import { quantile, tally } from '../support/statistics.js';
import { startBenchUpstream } from '../support/upstream.js';

const PER_SECOND = 200;
const BEFORE_MS = 1000;
const DURATION_MS = 8000;

/** A load balancer notices this. */
const NOTICED_MS = 50;

const from = '127.0.0.2';
const GET = 'GET /primary HTTP/1.1\r\nHost: h\r\n\r\n';

const ATTACKS: readonly (readonly [label: string, attack?: Attack])[] = [
  ['nothing'],
  ['500 that send a header byte by byte', { from, sockets: 500, bytes: 'GET /primary HTTP/1.1\r\nX: ', drip: 'x' }],
  ['2,000 that say nothing', { from, sockets: 2000 }],
  ['500 that read no reply', { from, sockets: 500, bytes: GET, reading: 'never' }],
  ['3,000 resets with the request', { from, sockets: 3000, bytes: GET, then: 'reset' }],
  [
    '200 times 100 kB of headers',
    { from, sockets: 200, bytes: `GET / HTTP/1.1\r\nX: ${'x'.repeat(100_000)}`, atATime: 10 },
  ],
  ['10,000 requests at once, on each of 10', { from, sockets: 10, bytes: GET, times: 10_000, atATime: 1 }],
  [
    '1,000 TLS handshakes at the HTTP port',
    { from, sockets: 1000, bytes: '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' },
  ],
];

/** Hostile clients delay no check. */
export const abuse: Figure = {
  name: 'abuse',
  title: `${PER_SECOND} checks a second for ${DURATION_MS / 1000} s, while others do what no health check does; beside them those of a constant server on the same core, which is let alone.`,
  async run() {
    const upstream = await startBenchUpstream();
    const control = await nodeHttp.start({ upstreamPort: 0 });
    const service = await startBenchService(upstream.port);
    try {
      const rows: Row[] = [];
      for (const [label, attack] of ATTACKS) rows.push(rowOf(label, await checkBeside(service.port, control, attack)));
      return { rows };
    } finally {
      await service.close();
      await control.close();
      await upstream.close();
    }
  },
};

async function checkBeside(
  port: number,
  control: RunningPeer,
  attack: Attack | undefined,
): Promise<readonly (readonly Check[])[]> {
  const load = checkPorts({ ports: [port, control.port], perSecond: PER_SECOND, durationMs: DURATION_MS });
  load.catch(() => undefined); // awaited below
  await sleep(BEFORE_MS);
  const attackers = attack && (await startAttacks(port, [attack]));
  try {
    return await load;
  } finally {
    await attackers?.close();
  }
}

function rowOf(label: string, [own = [], beside = []]: readonly (readonly Check[])[]): Row {
  const waits = own.map(waitedMs);
  return {
    label,
    measures: [
      { name: 'replies', value: tally(own.map(({ status }) => status)) },
      { name: 'not 200', value: own.filter(({ status }) => status !== 200).length, atMost: 0 },
      { name: 'p50', value: quantile(waits, 0.5), unit: 'ms', digits: 1 },
      { name: 'p99', value: quantile(waits, 0.99), unit: 'ms', digits: 1, atMost: NOTICED_MS },
      { name: 'max', value: quantile(waits, 1), unit: 'ms', digits: 1 },
      { name: "the constant server's p99", value: quantile(beside.map(waitedMs), 0.99), unit: 'ms', digits: 1 },
      { name: 'its max', value: quantile(beside.map(waitedMs), 1), unit: 'ms', digits: 1 },
    ],
  };
}
