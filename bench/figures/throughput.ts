import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCertificates } from '../../test/support/certificates.js';
import type { Figure, Measure, Row } from '../support/figure.js';
import { cachingPeers, nodeHttp, nodeNet, patroniglue, withPeers } from '../peers/all.js';
import type { PeerOptions, RunningPeer } from '../peers/peer.js';
import { spreadOf } from '../support/statistics.js';
import { startBenchUpstream } from '../support/upstream.js';
import { type Way, answersPerSecond } from '../support/wrk.js';

const ROUNDS = 5;
const SECONDS = 2;

/** No less than this share of what the platform's own least server does. */
const LEAST_SHARE = 0.9;

/** How many checks one core can answer. */
export const throughput: Figure = {
  name: 'throughput',
  title:
    `Checks of /primary a second that a server on one core answers (wrk on the other one, ${ROUNDS} rounds of ${SECONDS} s in turn): ` +
    'on fresh connections, as HAProxy makes them; on kept ones; on fresh ones with a TLS handshake each (P-256). Shares are those of the ' +
    'same round. And the memory after all this, in MB of 10^6 bytes.',
  async run() {
    const dir = await mkdtemp(join(tmpdir(), 'patroniglue-bench-'));
    const upstream = await startBenchUpstream();
    try {
      const { server } = await createCertificates(dir);
      const peers = [...cachingPeers(), nodeHttp, nodeNet];
      const plain = { upstreamPort: upstream.port };
      const speaksTls = peers.filter((peer) => peer.speaksTls);
      const fresh = await measure(peers, plain, 'fresh');
      const kept = await measure(peers, plain, 'keep-alive');
      const tls = await measure(speaksTls, { ...plain, tls: server }, 'fresh TLS');
      return { rows: peers.map(({ name }) => rowOf(name, [fresh, kept, tls])) };
    } finally {
      await upstream.close();
      await rm(dir, { recursive: true, force: true });
    }
  },
};

/** A second of each by name, and memory. */
interface Measured {
  readonly way: Way;
  readonly rounds: ReadonlyMap<string, readonly number[]>;
  readonly memoryMB: ReadonlyMap<string, number>;
}

function measure(peers: Parameters<typeof withPeers>[0], options: PeerOptions, way: Way): Promise<Measured> {
  return withPeers(peers, options, async (running) => {
    const rounds = new Map<string, number[]>(running.map(({ name }) => [name, []]));
    for (const peer of running) await answersPerSecond(peer.port, way, 1); // code is compiled
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const peer of inTurn(running, round)) {
        rounds.get(peer.name)?.push(await answersPerSecond(peer.port, way, SECONDS));
      }
    }
    return { way, rounds, memoryMB: new Map(running.map((peer) => [peer.name, peer.memoryMB()])) };
  });
}

/** Another one begins each time: what is beside them on the machine comes and goes. */
function inTurn(running: readonly RunningPeer[], round: number): readonly RunningPeer[] {
  return running.map((_, index) => running[(index + round) % running.length]).filter((peer) => peer !== undefined);
}

function rowOf(name: string, measured: readonly Measured[]): Row {
  const isOurs = name === patroniglue.name;
  return {
    label: name,
    measures: [
      ...measured.flatMap(({ way, rounds }): Measure[] => {
        const own = rounds.get(name);
        const least = rounds.get(nodeHttp.name) ?? [];
        if (own === undefined)
          return [
            { name: way, value: '-' },
            { name: `${way}: of node:http`, value: '-' },
          ];
        const shares = own.map((perSecond, round) => perSecond / (least[round] ?? NaN));
        const bound = isOurs && { atLeast: LEAST_SHARE };
        return [
          { name: way, ...spreadOf(own) },
          { name: `${way}: of node:http`, ...spreadOf(shares), digits: 2, ...bound },
        ];
      }),
      { name: 'memory', value: measured[0]?.memoryMB.get(name) ?? NaN, unit: 'MB' },
    ],
  };
}
