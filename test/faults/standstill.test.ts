import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Socket, connect } from 'node:net';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Standstill, tooOld } from '../support/measuring/ages.js';
import { type Sample, outcomeOf, startSteadyChecks } from '../support/clients/checks.js';
import type { Worker } from '../support/processes/child.js';
import { type Blocker, createBlocker } from '../support/processes/blocker.js';
import { nowMs } from '../support/time/monotonic.js';
import { isStopped } from '../support/measuring/proc.js';
import { createRandom } from '../support/random.js';
import { keepAliveClient } from '../support/clients/raw-http.js';
import { type Service, type ServiceOptions, startService } from '../support/processes/service.js';
import { type Upstream, dated, silent, startUpstream } from '../support/upstreams/upstream.js';
import { eventually, within } from '../support/time/wait.js';

const TTL_MS = 600;
const ROUTES = ['/primary', '/replica', '/read-only'];

/** Those that the kernel keeps for a listener: more must not come while it stands still. */
const CHECKS_A_SECOND = 100;

const BLOCK_MS = 2000;
const MOMENT_MS = 400;

const outlastsTtl = ({ fromMs, toMs }: Standstill): boolean => toMs - fromMs > TTL_MS;

describe('a service that stood still itself', () => {
  let upstream: Upstream;
  let service: Service;
  let checks: Worker<readonly Sample[]> | undefined;
  before(async () => {
    upstream = await startUpstream();
  });
  after(() => upstream.close());
  afterEach(async () => {
    await checks?.close();
    await service.close();
  });

  async function start(options: Omit<ServiceOptions, 'config'> = {}): Promise<void> {
    upstream.behave(dated);
    const config = {
      backend: { host: '127.0.0.1', port: upstream.port },
      cache: { ttl: TTL_MS / 1000, interval: 0.1 },
    };
    service = await startService({ config, ...options });
    await ready();
  }

  const ready = (): Promise<unknown> =>
    eventually('ready', 10_000, async () => (await service.get('/-/ready')).status === 200);

  /** SIGSTOP, and for as long as `body` takes the service does nothing, for sure; then SIGCONT. */
  async function stopped(body: () => Promise<unknown>): Promise<Standstill> {
    service.signal('SIGSTOP');
    await eventually('it is stopped', 5000, () => isStopped(service.pid), 1);
    const fromMs = nowMs();
    await body();
    const toMs = nowMs();
    service.signal('SIGCONT');
    return { fromMs, toMs };
  }

  /** Sends a check that the kernel takes in and the stopped service does not answer yet; what comes, it resolves with. */
  async function queueCheck(): Promise<() => Promise<string>> {
    const socket: Socket = connect(service.port, '127.0.0.1');
    await within('connected', 5000, once(socket, 'connect'));
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    const closed = once(socket, 'close');
    socket.write('GET /primary HTTP/1.0\r\n\r\n');
    return async () => {
      await within('the check is answered', 5000, closed);
      return text;
    };
  }

  /** All are answered, with 200 or 503, and no 200 is too old; says how many that stood in the queue were refused. */
  function judge(samples: readonly Sample[], standstills: readonly Standstill[]): number {
    assert.deepEqual(new Set(samples.map(outcomeOf)), new Set([200, 503]));
    assert.deepEqual(tooOld(samples, TTL_MS, standstills), []);
    const queued = samples.filter(({ sentMs }) =>
      standstills.some(({ fromMs, toMs }) => fromMs <= sentMs && sentMs < toMs),
    );
    return queued.filter(({ status }) => status === 503).length;
  }

  it('(SIGSTOP, SIGCONT) gives not one stale 200 to the checks that queued at its socket', async () => {
    await start({ flags: ['--debug'] });
    for (let round = 0; round < 3; round += 1) {
      upstream.behave(dated);
      await ready();
      let answers: (() => Promise<string>)[] = [];
      await stopped(async () => {
        upstream.behave(silent); // what is polled after the stop brings nothing new
        answers = await Promise.all(Array.from({ length: 50 }, queueCheck));
        await sleep(TTL_MS + 100); // the passing of time is what is tested
      });
      for (const answer of answers) assert.match(await answer(), /^HTTP\/1\.1 503 /);
    }
  });

  it('(SIGSTOP, SIGCONT) at random moments, for random times, has no check unanswered, and no 200 too old', async (t) => {
    const random = createRandom();
    t.diagnostic(`TEST_SEED=${random.seed}`);
    await start();
    checks = await startSteadyChecks({ ports: [service.port], routes: ROUTES, perSecond: CHECKS_A_SECOND });
    const standstills: Standstill[] = [];
    const endMs = nowMs() + 8000;
    while (nowMs() < endMs) {
      await sleep(random.between(0, 500));
      const silentBefore = random.chance(0.3);
      if (silentBefore) upstream.behave(silent);
      const standstill = await stopped(async () => {
        if (random.chance(0.5)) upstream.behave(silent); // otherwise an answer waits at the socket, and grows old there
        await sleep(random.between(0, 2.5 * TTL_MS));
      });
      standstills.push(standstill);
      await sleep(random.between(0, 200));
      upstream.behave(dated);
    }
    await ready();
    const refused = judge(await checks.end(), standstills);
    t.diagnostic(`${standstills.length} stops, ${refused} checks of those that queued were refused`);
    assert.ok(standstills.some(outlastsTtl), 'not one stop outlasted the time to live');
    assert.doesNotMatch(service.output(), / error: /);
  });

  describe('(its event loop blocked for seconds)', () => {
    let blocker: Blocker;
    beforeEach(async () => {
      blocker = await createBlocker();
      await start(blocker.options);
      await blocker.connect();
    });
    afterEach(() => {
      blocker.close();
    });

    it('has no check unanswered, and no 200 too old', async () => {
      checks = await startSteadyChecks({ ports: [service.port], routes: ROUTES, perSecond: CHECKS_A_SECOND });
      const standstills: Standstill[] = [];
      for (const whatIsPolled of [dated, silent]) {
        await ready();
        upstream.behave(whatIsPolled); // what is answered grows old at the socket
        standstills.push(await blocker.block(BLOCK_MS));
        upstream.behave(dated);
      }
      await ready();
      judge(await checks.end(), standstills); // at the waking a new answer may be there before those that queued are read
      assert.ok(standstills.every(outlastsTtl), 'a block was too short');
      assert.doesNotMatch(service.output(), / error: /);
    });

    it('looks at the age again for a check that is read before any timer, which is late', async () => {
      const client = keepAliveClient(service.port, { Host: 'h' });
      try {
        const checked = await eventually('a check comes into the turn of a block', 20_000, async () => {
          upstream.behave(dated);
          await ready();
          assert.equal(await client.get('/primary'), 200);
          upstream.behave(silent);
          // While it is blocked for a moment the longer block and, behind it, the check come into its next turn.
          const moment = blocker.block(MOMENT_MS);
          await sleep(MOMENT_MS / 4);
          const block = blocker.block(2 * TTL_MS);
          await sleep(MOMENT_MS / 4);
          const status = client.get('/primary');
          const sentMs = nowMs();
          const { fromMs: blockedMs } = await block;
          const cameIntoTurn = sentMs < (await moment).toMs - MOMENT_MS / 4;
          const wasFresh = blockedMs - (await moment).fromMs < TTL_MS;
          return cameIntoTurn && wasFresh && { status: await status };
        });
        assert.equal(checked.status, 503);
      } finally {
        client.close();
      }
    });
  });
});
