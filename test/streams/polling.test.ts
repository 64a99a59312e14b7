import assert from 'node:assert/strict';
import dns from 'node:dns';
import { syncBuiltinESMExports } from 'node:module';
import { after, afterEach, before, describe, it, mock } from 'node:test';
import { NEVER, Subject, VirtualTimeScheduler, merge, tap } from 'rxjs';
import { createScheduler } from '../../src/streams/clock.js';
import { parseConfig } from '../../src/config/parse.js';
import type { Config } from '../../src/config/types.js';
import { type PollingParts, createPolling } from '../../src/streams/polling.js';
import { canonicalRoute } from '../../src/patroni/routes.js';
import { changes } from '../../src/streams/changes.js';
import type { FreezeChange } from '../../src/streams/freeze.js';
import { createHeartbeat } from '../../src/streams/heartbeat.js';
import { ASSUMED_TIMINGS } from '../../src/patroni/timings-in-force.js';
import { fillAcceptQueue } from '../support/upstreams/accept-queue.js';
import { type Upstream, answering, startUpstream } from '../support/upstreams/upstream.js';
import { eventually } from '../support/time/wait.js';
import type { PollOutcome, CanonicalRoute } from '../../src/patroni/types.js';

const HOUR_S = 3600;

type Outcome = PollOutcome & { readonly route: CanonicalRoute };

function configOf(sections: Readonly<Record<string, object>>): Config {
  return parseConfig({ text: JSON.stringify(sections), file: 'config.yml', nowMs: 0, readFile: () => '' });
}

/** A cache that polls, and the outcomes of its polls. */
function polling(config: Config, parts: Partial<PollingParts> = {}) {
  const outcomes: Outcome[] = [];
  const scheduler = parts.scheduler ?? createScheduler();
  const polled = createPolling(config, {
    scheduler,
    timingsOf: () => ASSUMED_TIMINGS,
    wallMs: () => 0,
    refresh$: NEVER,
    heartbeat: createHeartbeat(scheduler),
    random: Math.random,
    facts$: NEVER,
    ...parts,
  });
  const noted$ = polled.outcome$.pipe(tap(({ route, outcome }) => outcomes.push({ ...outcome, route })));
  const subscription = merge(noted$, changes(polled.cache, scheduler)).subscribe({
    error: (cause: unknown) => assert.fail(String(cause)),
  });
  ended.push(() => {
    subscription.unsubscribe();
  });
  return { ...polled, outcomes };
}

const ended: (() => void)[] = [];

describe('a cache that is polled as the configuration says', () => {
  let upstream: Upstream;
  before(async () => {
    upstream = await startUpstream();
  });
  afterEach(() => {
    for (const end of ended.splice(0)) end();
  });
  after(() => upstream.close());

  describe('goes by the wall clock of this host', () => {
    /** Names that a name server knows: `patroni.test` is another host, whose port is forwarded to the upstream here. */
    before(() => {
      const lookup = (
        _name: string,
        _options: object,
        done: (error: null, found: dns.LookupAddress[]) => void,
      ): void => {
        done(null, [{ address: '127.0.0.1', family: 4 }]);
      };
      mock.method(dns, 'lookup', lookup);
      syncBuiltinESMExports();
    });
    after(() => {
      mock.restoreAll();
      syncBuiltinESMExports();
    });

    const SEEN_S = 1_800_000_000;
    const DATED_S = SEEN_S + 4;
    /** Since `dcs_last_seen`, 4 s or up to 5 s have passed by Patroni's `Date`, and 7 s by this host's clock. */
    const wallMs = (): number => SEEN_S * 1000 + 7000;

    /** The assumed age of `dcs_last_seen` at the beginning or the end of the poll, in milliseconds; without a lease `undefined`. */
    async function ageOfLease(
      host: string,
      date: string,
      at: 'endedAtMs' | 'sentAtMs' = 'endedAtMs',
    ): Promise<number | undefined> {
      upstream.behave((socket) => {
        const body = JSON.stringify({ role: 'primary', dcs_last_seen: SEEN_S });
        socket.end(`HTTP/1.0 200 OK\r\n${date}Content-Type: application/json\r\n\r\n${body}`);
      });
      const backend = { host, port: upstream.port, routes: ['/primary'] };
      const { outcomes } = polling(configOf({ backend }), { wallMs });
      const outcome = await eventually(`${host} has answered`, 5000, () => outcomes[0]);
      assert.ok(outcome.kind === 'answered', JSON.stringify(outcome));
      return outcome.lease && Math.round(outcome[at] - outcome.lease.lastSeenAtMs);
    }
    const date = `Date: ${new Date(DATED_S * 1000).toUTCString()}\r\n`;

    for (const host of ['127.0.0.1', 'localhost']) {
      it(`where Patroni is asked at ${host}`, async () => {
        assert.deepEqual([await ageOfLease(host, date), await ageOfLease(host, '')], [7000, 7000]);
      });
    }

    it("and by Patroni's Date where it is elsewhere, if there is one", async () => {
      assert.deepEqual(
        [await ageOfLease('patroni.test', date, 'sentAtMs'), await ageOfLease('patroni.test', '')],
        [5000, undefined],
      );
    });
  });

  it('gives up connecting before the next tick, and before a poll', async () => {
    const full = await fillAcceptQueue();
    try {
      for (const [interval, timeout, expected] of [
        [0.4, 2, 'not connected within 0.36 s'],
        [0.05, 2, 'not connected within 0.1 s'],
        [2, 0.3, 'not connected within 0.27 s'], // it has cost the upstream nothing, and is no freeze
      ] as const) {
        const backend = { host: '127.0.0.1', port: full.port, routes: ['/primary'], timeout };
        const { outcomes } = polling(configOf({ backend, cache: { interval } }));
        const outcome = await eventually('a poll has failed', 5000, () => outcomes[0]);
        assert.ok(outcome.kind === 'failed');
        assert.equal(outcome.failure.reason, 'timed-out');
        assert.equal(outcome.failure.message, expected);
        for (const end of ended.splice(0)) end();
      }
    } finally {
      full.close();
    }
  });

  it('forgets a freeze at a reload, and says so: whoever pairs beginning and end is not left waiting', async () => {
    upstream.behave(() => undefined); // silence
    const backend = { host: '127.0.0.1', port: upstream.port, routes: ['/primary'], timeout: 0.1 };
    const { freeze$, frozenSinceMs, reconfigure } = polling(configOf({ backend }));
    const told: FreezeChange[] = [];
    const subscription = freeze$.subscribe({
      next: (change) => told.push(change),
      error: (cause: unknown) => assert.fail(String(cause)),
    });
    ended.push(() => {
      subscription.unsubscribe();
    });
    await eventually('it is frozen', 5000, () => told[0]?.kind === 'frozen');
    reconfigure(configOf({ backend: { ...backend, timeout: 3 } }));
    assert.deepEqual(
      told.map(({ kind }) => kind),
      ['frozen', 'forgotten'],
    );
    assert.equal(frozenSinceMs(), undefined);
  });

  it('asks for learned routes in a burst one after another, and for those that are prefetched at once', async () => {
    upstream.behave(answering(200));
    const scheduler = new VirtualTimeScheduler();
    const refresh$ = new Subject<void>();
    const backend = { host: '127.0.0.1', port: upstream.port, routes: ['/primary', '/replica'] };
    const times = { interval: HOUR_S, ttl: 3 * HOUR_S };
    const { cache, outcomes } = polling(configOf({ backend, cache: times }), { scheduler, refresh$ });
    const until = async (atMs: number, polls: number): Promise<readonly Outcome[]> => {
      scheduler.maxFrames = atMs;
      scheduler.flush();
      await eventually(`${polls} polls are answered`, 5000, () => outcomes.length === polls);
      return outcomes.splice(0);
    };
    const learned = ['/leader', '/sync', '/async', '/health', '/liveness', '/read-only', '/quorum', '/replica?lag=1MB'];
    for (const target of learned) cache.ask(canonicalRoute(target) ?? assert.fail(target));
    await until(0, 2 + learned.length);

    refresh$.next();
    const burst = await until(45, 2 + learned.length); // all first steps are made, and no second one yet
    const sentAtMs = (isAmong: (route: string) => boolean): readonly number[] =>
      burst.filter(({ route }) => isAmong(route)).map((outcome) => outcome.sentAtMs);
    assert.deepEqual(
      sentAtMs((route) => backend.routes.includes(route)),
      [0, 0],
    );
    const spread = [...sentAtMs((route) => learned.includes(route))].sort((a, b) => a - b);
    const gapsMs = spread.map((atMs, index) => atMs - (spread[index - 1] ?? 0));
    assert.ok(
      gapsMs.every((gapMs) => gapMs > 1),
      `at ${spread.join(', ')} ms`,
    );
    assert.ok((spread.at(-1) ?? Infinity) <= 40, 'before the second step');
  });

  it('asks at once in a burst for a route that a reload has added to those that are prefetched', async () => {
    upstream.behave(answering(200));
    const scheduler = new VirtualTimeScheduler();
    const refresh$ = new Subject<void>();
    const configWith = (...routes: string[]): Config => {
      const backend = { host: '127.0.0.1', port: upstream.port, routes };
      return configOf({ backend, cache: { interval: HOUR_S, ttl: 3 * HOUR_S } });
    };
    const added = ['/sync', '/async', '/health', '/liveness'];
    const { outcomes, reconfigure } = polling(configWith('/primary'), { scheduler, refresh$ });
    reconfigure(configWith('/primary', ...added));
    const until = async (atMs: number): Promise<readonly Outcome[]> => {
      scheduler.maxFrames = atMs;
      scheduler.flush();
      await eventually('every route is answered', 5000, () => outcomes.length === 1 + added.length);
      return outcomes.splice(0);
    };
    await until(0);
    refresh$.next();
    const burst = await until(45);
    assert.deepEqual(new Set(burst.map(({ sentAtMs }) => sentAtMs)), new Set([0]));
  });
});
