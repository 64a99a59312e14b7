import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createCertificates } from '../../test/support/certificates.js';
import type { Service } from '../../test/support/processes/service.js';
import type { Figure, Row } from '../support/figure.js';
import { type Sample, checkWith, outcomeOf } from '../../test/support/clients/checks.js';
import { latencyMeasures } from '../support/latency.js';
import { nodeHttp } from '../peers/constant.js';
import type { RunningPeer } from '../peers/peer.js';
import { BRISK_PACE, openFilesAtRest, startBenchService } from '../support/processes.js';
import { residentMB } from '../../test/support/measuring/proc.js';
import { tally } from '../support/statistics.js';
import { type BehaviourName, type BenchUpstream, mostAtOnce, startBenchUpstream } from '../support/upstream.js';

/** Each with the statuses that it may make the service give, besides 200 and 503: what is an answer is passed on. */
const FAULTS: readonly (readonly [BehaviourName, ...number[]])[] = [
  ['silent'],
  ['half headers'],
  ['drip'],
  ['reset'],
  ['refused'],
  ['garbage'],
  ['100 MB body'],
  ['redirect', 302],
  ['status 500', 500],
];
const FAULT_MS = 3_000;
const RECOVERED_MS = 1_200;
const ROUTES = ['/primary', '/replica', '/read-only'];
const intervalMs = BRISK_PACE.interval * 1000;

/** A poll that met the fault runs to its deadline, half the ttl, and the tick after that is answered. */
const RECOVERY_MS = (BRISK_PACE.ttl * 1000) / 2 + intervalMs + 20;

/**
 * What Node's heap moves within a few seconds of load by itself, after a start. Polls that held the 1 MiB that each may
 * read of a large body would take more.
 */
const MEMORY_NOISE_MB = 30;

/** All that can be wrong with an upstream that is there. */
export const faults: Figure = {
  name: 'faults',
  title:
    `200 checks a second while the upstream fails for ${FAULT_MS / 1000} s in a way each; ttl ${BRISK_PACE.ttl} s, ` +
    `interval ${BRISK_PACE.interval} s. Open files and memory are those before and after the fault.`,
  async run() {
    const rows: Row[] = [];
    const upstream = await startBenchUpstream();
    const control = await nodeHttp.start({ upstreamPort: 0 });
    const service = await startBenchService(upstream.port, BRISK_PACE);
    try {
      for (const [fault, ...statuses] of FAULTS) {
        rows.push(await fail(fault, statuses, { service, control, upstream }));
      }
      return { rows: [...rows, await failHandshakes(control)] };
    } finally {
      await service.close();
      await control.close();
      await upstream.close();
    }
  },
};

/** What runs while an upstream fails. */
interface Scene {
  readonly service: Service;
  readonly control: RunningPeer;
  readonly upstream: BenchUpstream;
}

/** The same with HTTPS to the upstream, for the fault that there is only there. */
async function failHandshakes(control: RunningPeer): Promise<Row> {
  const dir = await mkdtemp(join(tmpdir(), 'patroniglue-bench-'));
  try {
    const { server, ca } = await createCertificates(dir);
    const pem = { cert: await readFile(server.cert, 'utf8'), key: await readFile(server.key, 'utf8') };
    const upstream = await startBenchUpstream(pem);
    const service = await startBenchService(upstream.port, BRISK_PACE, { scheme: 'https', cafile: ca.cert });
    try {
      return await fail('stalled TLS handshake', [], { service, control, upstream });
    } finally {
      await service.close();
      await upstream.close();
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function fail(
  fault: BehaviourName,
  statuses: readonly number[],
  { service, control, upstream }: Scene,
): Promise<Row> {
  const filesBefore = await openFilesAtRest(service.pid, intervalMs);
  const memoryBefore = residentMB(service.pid);
  const durationMs = FAULT_MS + RECOVERED_MS;
  const ports = [service.port, control.port];
  const load = checkWith({ kind: 'paced', ports, routes: ROUTES, perSecond: 200, durationMs });
  load.catch(() => undefined); // awaited below
  await sleep(100); // the generator has started
  const failingMs = await upstream.behave(fault);
  await sleep(FAULT_MS);
  const connections = await upstream.connectionsSince(failingMs);
  const healthyMs = await upstream.behave('healthy');
  const all = await load;
  const files = await openFilesAtRest(service.pid, intervalMs);
  const memory = residentMB(service.pid);

  const samples = all.filter(({ port }) => port === service.port);
  const isDuring = ({ dueMs }: Sample): boolean => dueMs >= failingMs && dueMs < healthyMs;
  const during = samples.filter(isDuring);
  const duringAtControl = all.filter((sample) => sample.port === control.port && isDuring(sample));
  const allowed = [200, 503, ...statuses];
  const perRoute = [...new Set(connections.map(({ route }) => route))].map((route) =>
    mostAtOnce(connections.filter((connection) => connection.route === route)),
  );
  // Before the TLS handshake no route is known: there the sum is the bound.
  const perRouteBound = fault === 'stalled TLS handshake' ? {} : { atMost: 1 };
  return {
    label: fault,
    measures: [
      { name: 'replies', value: tally(during.map(outcomeOf)) },
      { name: 'unexpected', value: samples.filter(({ status }) => !allowed.includes(status)).length, atMost: 0 },
      ...latencyMeasures(during, duringAtControl),
      { name: 'polls', value: connections.length },
      { name: 'open at once, a route', value: Math.max(0, ...perRoute), ...perRouteBound },
      { name: 'in all', value: mostAtOnce(connections), atMost: ROUTES.length },
      { name: 'files before', value: filesBefore },
      { name: 'after', value: files, atMost: filesBefore },
      { name: 'MB before', value: memoryBefore, digits: 1 },
      { name: 'then', value: memory, digits: 1, atMost: Math.ceil(memoryBefore + MEMORY_NOISE_MB) },
      { name: 'recovery', value: recoveryMs(samples, healthyMs), unit: 'ms', atMost: RECOVERY_MS },
    ],
  };
}

/** Until every route has been given an answer that the upstream was asked for after the fault; NaN if one was not. */
function recoveryMs(samples: readonly Sample[], healthyMs: number): number {
  const firsts = ROUTES.map((route) =>
    samples.find((sample) => sample.route === route && (sample.askedMs ?? 0) >= healthyMs),
  );
  return Math.max(...firsts.map((first) => (first?.endMs ?? NaN) - healthyMs));
}
