import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, it } from 'node:test';
import { type FrozenPool, startFrozenPool } from '../support/upstreams/frozen-pool.js';
import { nowMs } from '../support/time/monotonic.js';
import { type Service, startService } from '../support/processes/service.js';
import { eventually } from '../support/time/wait.js';

const ROUTES = ['/primary', '/replica', '/read-only'];

/** Before the freeze was noticed, each route made one poll after another: some 13 in this time, and 40 in all. */
const FREEZE_MS = 10_000;
const CACHE = { ttl: 1.2, interval: 0.15 };
const TIMEOUT_MS = 700;

/** A poll in flight for each route, one more where an answer came as it began; then what waits, and waits after 2 and 6 s. */
const MOST_HELD = 2 * ROUTES.length + 3;

describe('a Patroni that holds what connects and answers nothing', () => {
  let pool: FrozenPool;
  let service: Service;
  before(async () => {
    pool = await startFrozenPool();
    const backend = { host: '127.0.0.1', port: pool.port, timeout: TIMEOUT_MS / 1000 };
    service = await startService({ config: { backend, cache: CACHE }, flags: [] });
  });
  after(async () => {
    await service.close();
    await pool.close();
  });

  const statuses = async (): Promise<unknown[]> =>
    (await Promise.all(ROUTES.map((route) => service.get(route)))).map(({ status }) => status);

  it('holds a few connections, however often it is to be refreshed and whatever is asked for; and is polled at its thaw', async () => {
    await eventually('it is ready', 5000, async () => (await service.get('/-/ready')).status === 200);
    pool.freeze();
    const frozenMs = nowMs();
    await eventually('checks are answered with 503', 10_000, async () => (await statuses()).every((s) => s === 503));
    while (nowMs() - frozenMs < FREEZE_MS) {
      await service.get(`/replica?lag=${Math.floor(nowMs())}`); // each would be learned, and polled
      const told = await fetch(`http://127.0.0.1:${service.port}/-/refresh`, { method: 'POST' });
      assert.equal(told.status, 202);
      await sleep(250); // the passing of time is what is tested
    }
    assert.ok(pool.held <= MOST_HELD, `${pool.held} connections are held`);
    assert.match(service.output(), / warn: Patroni is frozen: /);
    const metrics = await service.get('/-/metrics');
    assert.ok(metrics.kind === 'reply');
    const seconds = Number(/^patroniglue_patroni_frozen_seconds (\S+)$/m.exec(metrics.body)?.[1]);
    assert.ok(seconds >= FREEZE_MS / 1000 - 1, `${seconds} s`);

    pool.thaw();
    await eventually(
      'checks are answered with 200',
      10_000,
      async () => (await statuses()).every((s) => s === 200),
      10,
    );
    assert.match(service.output(), / info: Patroni answers again, after a freeze of /);
    await eventually('nothing is held', 5000, () => pool.held === 0);
  });
});
