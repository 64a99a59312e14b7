import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createCertificates } from '../test/support/certificates.js';
import type { Service } from '../test/support/service.js';
import type { Figure, Row } from './figure.js';
import { type Sample, checkWith, latencies, outcomeOf } from './generator.js';
import { BRISK_PACE, openFilesAtRest, residentMB, startBenchService } from './processes.js';
import { tally } from './statistics.js';
import { type BehaviourName, type BenchUpstream, mostAtOnce, startBenchUpstream } from './upstream.js';

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
const BASELINE_MS = 2_500;
const FAULT_MS = 3_000;
const RECOVERED_MS = 1_200;
const ROUTES = ['/primary', '/replica', '/read-only'];
const intervalMs = BRISK_PACE.interval * 1000;

/** A poll that met the fault runs to its deadline, half the ttl, and the tick after that is answered. */
const RECOVERY_MS = (BRISK_PACE.ttl * 1000) / 2 + intervalMs + 20;

/** p99 may rise by so much: reading a body of 1 MiB, or what else runs on the machine. */
const NOISE_MS = 5;

/** What Node's heap may move within a few seconds by itself; a leak of one poll's 1 MiB shows. */
const MEMORY_NOISE_MB = 12;

/** All that can be wrong with an upstream that is there. */
export const faults: Figure = {
  name: 'faults',
  title:
    `200 checks a second while the upstream fails for ${FAULT_MS / 1000} s in a way each; ttl ${BRISK_PACE.ttl} s, ` +
    `interval ${BRISK_PACE.interval} s. Open files and memory are those before and after the fault.`,
  async run() {
    const rows: Row[] = [];
    const upstream = await startBenchUpstream();
    const service = await startBenchService(upstream.port, BRISK_PACE);
    try {
      const baseline = await healthyP99(service);
      rows.push(baseline.row);
      for (const [fault, ...statuses] of FAULTS)
        rows.push(await fail(fault, statuses, service, upstream, baseline.p99));
    } finally {
      await service.close();
      await upstream.close();
    }
    return [...rows, await failHandshakes()];
  },
};

/** The same with HTTPS to the upstream, for the fault that there is only there. */
async function failHandshakes(): Promise<Row> {
  const dir = await mkdtemp(join(tmpdir(), 'patroniglue-bench-'));
  try {
    const { server, ca } = await createCertificates(dir);
    const pem = { cert: await readFile(server.cert, 'utf8'), key: await readFile(server.key, 'utf8') };
    const upstream = await startBenchUpstream(pem);
    const service = await startBenchService(upstream.port, BRISK_PACE, { scheme: 'https', cafile: ca.cert });
    try {
      const { p99 } = await healthyP99(service);
      return await fail('stalled TLS handshake', [], service, upstream, p99);
    } finally {
      await service.close();
      await upstream.close();
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function healthyP99(service: Service): Promise<{ p99: number; row: Row }> {
  const samples = await check(service, BASELINE_MS);
  const { p50, p99, max } = latencies(samples);
  return {
    p99,
    row: {
      label: 'none, for comparison',
      measures: [
        { name: 'replies', value: tally(samples.map(outcomeOf)) },
        { name: 'p50', value: p50, unit: 'ms', digits: 2 },
        { name: 'p99', value: p99, unit: 'ms', digits: 2 },
        { name: 'max', value: max, unit: 'ms', digits: 2 },
      ],
    },
  };
}

async function fail(
  fault: BehaviourName,
  statuses: readonly number[],
  service: Service,
  upstream: BenchUpstream,
  p99Before: number,
): Promise<Row> {
  const filesBefore = await openFilesAtRest(service.pid, intervalMs);
  const memoryBefore = residentMB(service.pid);
  const load = check(service, FAULT_MS + RECOVERED_MS);
  load.catch(() => undefined); // awaited below
  await sleep(100); // the generator has started
  const failingMs = await upstream.behave(fault);
  await sleep(FAULT_MS);
  const connections = await upstream.connectionsSince(failingMs);
  const healthyMs = await upstream.behave('healthy');
  const samples = await load;
  const files = await openFilesAtRest(service.pid, intervalMs);
  const memory = residentMB(service.pid);

  const during = samples.filter(({ dueMs }) => dueMs >= failingMs && dueMs < healthyMs);
  const { p50, p99, max } = latencies(during);
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
      { name: 'p50', value: p50, unit: 'ms', digits: 2 },
      { name: 'p99', value: p99, unit: 'ms', digits: 2, atMost: Math.ceil(p99Before * 1.2 + NOISE_MS) },
      { name: 'max', value: max, unit: 'ms', digits: 2 },
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

function check(service: Service, durationMs: number): Promise<readonly Sample[]> {
  return checkWith({ kind: 'paced', port: service.port, routes: ROUTES, perSecond: 200, durationMs });
}

/** Until every route has been given an answer that the upstream was asked for after the fault; NaN if one was not. */
function recoveryMs(samples: readonly Sample[], healthyMs: number): number {
  const firsts = ROUTES.map((route) =>
    samples.find((sample) => sample.route === route && (sample.askedMs ?? 0) >= healthyMs),
  );
  return Math.max(...firsts.map((first) => (first?.endMs ?? NaN) - healthyMs));
}
