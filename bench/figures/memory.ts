import { setTimeout as sleep } from 'node:timers/promises';
import type { Figure } from '../support/figure.js';
import { checkFast } from '../support/h2load.js';
import { startBenchService } from '../support/processes.js';
import { residentMB } from '../../test/support/measuring/proc.js';
import { median } from '../support/statistics.js';
import { startBenchUpstream } from '../support/upstream.js';

const PER_SECOND = 5_000;
const SECONDS = 60;

/** The heap breathes by so much; a leak of a hundred bytes a check would be thirty. */
const FLAT_WITHIN_MB = 5;

/** What a service in use may take. */
const MOST_MB = 90;

/** Connections come and go, and leave nothing behind. */
export const memory: Figure = {
  name: 'memory',
  title: `Resident memory (MB of 10^6 bytes) during ${SECONDS} s of ${PER_SECOND.toLocaleString('en')} checks a second, each on a fresh connection: medians of its thirds.`,
  async run() {
    const upstream = await startBenchUpstream();
    const service = await startBenchService(upstream.port);
    try {
      const before = residentMB(service.pid);
      const samples: number[] = [];
      const end = new AbortController();
      const sampling = (async () => {
        while (!end.signal.aborted) {
          samples.push(residentMB(service.pid));
          await sleep(200);
        }
      })();
      const load = { port: service.port, route: '/primary', perSecond: PER_SECOND, durationMs: SECONDS * 1000 };
      const { checks, good } = await checkFast(load);
      end.abort();
      await sampling;
      const third = Math.floor(samples.length / 3);
      const [first, middle, last] = [0, 1, 2].map((at) => median(samples.slice(at * third, (at + 1) * third)));
      return {
        rows: [
          {
            label: 'patroniglue',
            measures: [
              { name: 'before', value: before, unit: 'MB', digits: 1 },
              { name: 'first third', value: first ?? NaN, unit: 'MB', digits: 1 },
              { name: 'second', value: middle ?? NaN, unit: 'MB', digits: 1 },
              { name: 'last', value: last ?? NaN, unit: 'MB', digits: 1, below: MOST_MB },
              {
                name: 'more than in the second',
                value: (last ?? NaN) - (middle ?? NaN),
                digits: 1,
                atMost: FLAT_WITHIN_MB,
              },
              { name: 'checks', value: checks },
              { name: 'not answered 200', value: checks - good, atMost: 0 },
            ],
          },
        ],
      };
    } finally {
      await service.close();
      await upstream.close();
    }
  },
};
