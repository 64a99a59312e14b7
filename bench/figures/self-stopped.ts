import { setTimeout as sleep } from 'node:timers/promises';
import type { Service } from '../../test/support/processes/service.js';
import { nowMs } from '../../test/support/time/monotonic.js';
import type { Figure, Row } from '../support/figure.js';
import { checkWith, latencyMs, outcomeOf } from '../../test/support/clients/checks.js';
import { BRISK_PACE, startBenchService } from '../support/processes.js';
import { tally } from '../support/statistics.js';
import { type BenchUpstream, startBenchUpstream } from '../support/upstream.js';

const ROUNDS = 3;
const BEFORE_MS = 700;
const STOPPED_MS = 2_300;
const SILENT_MS = 500;
const AFTER_MS = 1_500;

/** The service itself is stopped, and its answers grow old meanwhile. */
export const selfStopped: Figure = {
  name: 'self-stopped',
  title:
    `The service is stopped (SIGSTOP) for ${STOPPED_MS / 1000} s with a ttl of ${BRISK_PACE.ttl} s while 200 checks a ` +
    'second queue at its socket, then continued; the upstream says nothing from the stop until half a second after.',
  async run() {
    const upstream = await startBenchUpstream();
    const service = await startBenchService(upstream.port, BRISK_PACE);
    try {
      const rows: Row[] = [];
      for (let round = 1; round <= ROUNDS; round += 1) {
        await sleep((round * BRISK_PACE.interval * 1000) / ROUNDS); // another moment between two polls each time
        rows.push(await stopOnce(`stop ${round}`, service, upstream));
      }
      return { rows };
    } finally {
      await service.close();
      await upstream.close();
    }
  },
};

async function stopOnce(label: string, service: Service, upstream: BenchUpstream): Promise<Row> {
  const durationMs = BEFORE_MS + STOPPED_MS + SILENT_MS + AFTER_MS;
  const load = checkWith({ kind: 'paced', ports: [service.port], routes: ['/primary'], perSecond: 200, durationMs });
  load.catch(() => undefined); // awaited below
  await sleep(BEFORE_MS);
  service.signal('SIGSTOP');
  const stoppedMs = nowMs();
  await upstream.behave('silent');
  await sleep(STOPPED_MS);
  const continuedMs = nowMs();
  service.signal('SIGCONT');
  await sleep(SILENT_MS);
  const healthyMs = await upstream.behave('healthy');
  const samples = await load;
  const queued = samples.filter(
    ({ dueMs, endMs }) => dueMs >= stoppedMs && dueMs < continuedMs && endMs >= continuedMs,
  );
  const late = samples.filter(({ endMs }) => endMs >= continuedMs);
  const stale = late.filter(
    // Such a reply was decided after the service went on, at an age of no less than this.
    ({ status, askedMs = 0 }) => status === 200 && continuedMs - askedMs >= BRISK_PACE.ttl * 1000,
  );
  const firstGood = late.find(({ status, endMs }) => status === 200 && endMs >= healthyMs);
  return {
    label,
    measures: [
      { name: 'stale 200s', value: stale.length, atMost: 0 },
      { name: 'checks queued', value: queued.length },
      { name: 'their replies', value: tally(queued.map(outcomeOf)) },
      { name: 'without a reply', value: samples.filter(({ status }) => status === 0).length, atMost: 0 },
      { name: 'queue answered after', value: Math.max(...queued.map(({ endMs }) => endMs)) - continuedMs, unit: 'ms' },
      { name: 'longest wait', value: Math.max(...samples.map(latencyMs)), unit: 'ms' },
      // The polls that met the silence end at their deadline (half the ttl); the tick after that is answered.
      {
        name: 'first 200 after the silence',
        value: (firstGood?.endMs ?? NaN) - healthyMs,
        unit: 'ms',
        atMost: recoveryMs,
      },
    ],
  };
}

const recoveryMs = (BRISK_PACE.ttl / 2 + BRISK_PACE.interval) * 1000 + 20;
