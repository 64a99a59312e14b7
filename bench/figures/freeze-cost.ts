import { setTimeout as sleep } from 'node:timers/promises';
import { startFrozenPool } from '../../test/support/upstreams/frozen-pool.js';
import { ask } from '../../test/support/clients/http-get.js';
import { nowMs } from '../../test/support/time/monotonic.js';
import { eventually } from '../../test/support/time/wait.js';
import type { Figure } from '../support/figure.js';
import { patroniglue, withPeers } from '../peers/all.js';
import { spreadOf } from '../support/statistics.js';

/** The shorter one has the bound; the longer one is that after which, before, Patroni had no file left. */
const SHORT_S = 40;
const LONG_S = 12 * 60;

const MOST_IN_SHORT = 14;

/** Short freezes with a thaw each: when it comes, in seconds. */
const THAWS_S = [5, 9.3, 17.1];

const ROUTES = ['/primary', '/replica', '/read-only'];

/** What a freeze costs Patroni. */
export const freezeCost: Figure = {
  name: 'freeze-cost',
  title:
    `A scripted Patroni that accepts connections, reads nothing and closes nothing, as one whose workers hang: the connections ` +
    `that it holds, and the time from its thaw to a 200 for each route.`,
  async run() {
    const pool = await startFrozenPool();
    try {
      return await withPeers([patroniglue], { upstreamPort: pool.port }, async ([service]) => {
        if (service === undefined) throw new Error('patroniglue was not started');
        const ready = async (status: number): Promise<boolean> => {
          const replies = await Promise.all(ROUTES.map((route) => ask(service.port, route)));
          return replies.every((reply) => reply.status === status);
        };
        const held: number[] = [];
        const back: number[] = [];
        for (const seconds of THAWS_S) back.push(await freezeFor(seconds));
        await freezeFor(LONG_S, [SHORT_S, LONG_S]);
        return {
          rows: [
            {
              label: patroniglue.name,
              measures: [
                { name: `held after ${SHORT_S} s`, value: held[0] ?? NaN, digits: 0, atMost: MOST_IN_SHORT },
                { name: `after ${LONG_S / 60} min`, value: held[1] ?? NaN, digits: 0 },
                { name: 'thaw to 200', ...spreadOf(back), unit: 'ms' as const },
              ],
            },
          ],
        };

        async function freezeFor(seconds: number, lookAtS: readonly number[] = []): Promise<number> {
          await eventually('every route is 200', 20_000, () => ready(200));
          pool.freeze();
          const frozenMs = nowMs();
          for (const at of lookAtS) {
            await sleep(frozenMs + at * 1000 - nowMs());
            held.push(pool.held);
          }
          await sleep(Math.max(0, frozenMs + seconds * 1000 - nowMs()));
          if (!(await ready(503))) throw new Error('the freeze is not seen');
          const thawedMs = nowMs();
          pool.thaw();
          await eventually('every route is 200 again', 70_000, () => ready(200), 2);
          return nowMs() - thawedMs;
        }
      });
    } finally {
      await pool.close();
    }
  },
};
