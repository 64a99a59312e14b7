import { nowMs } from '../test/support/monotonic.js';
import type { Figure } from './figure.js';
import { checkWith, outcomeOf } from '../test/support/checks.js';
import { residentMB, startBenchService } from './processes.js';
import { tally } from './statistics.js';
import { startBenchUpstream } from './upstream.js';

const CHECKS = 100_000;

/** Connections come and go, and leave nothing behind. */
export const memory: Figure = {
  name: 'memory',
  title: `Resident memory (MB of 10^6 bytes) before and after ${CHECKS.toLocaleString('en')} checks as fast as they are answered, each on a fresh connection, 50 at a time.`,
  async run() {
    const upstream = await startBenchUpstream();
    const service = await startBenchService(upstream.port);
    try {
      const beforeMB = residentMB(service.pid);
      const startedMs = nowMs();
      const load = { port: service.port, routes: ['/primary', '/replica'], checks: CHECKS, concurrency: 50 };
      const samples = await checkWith({ kind: 'flood', ...load });
      const tookS = (nowMs() - startedMs) / 1000;
      const others = samples.filter(({ status }) => status !== 200);
      return [
        {
          label: 'service',
          measures: [
            { name: 'before', value: beforeMB, unit: 'MB', digits: 1 },
            { name: 'after', value: residentMB(service.pid), unit: 'MB', digits: 1, below: 90 },
            { name: 'replies', value: tally(samples.map(outcomeOf)) },
            { name: 'not answered 200', value: others.length, atMost: 0 },
            { name: 'checks a second (limited by the generator)', value: CHECKS / tookS },
          ],
        },
      ];
    } finally {
      await service.close();
      await upstream.close();
    }
  },
};
