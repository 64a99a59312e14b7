import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MAX_PARSED_BYTES } from '../../src/patroni/json-body.js';
import {
  type DynamicConfig,
  configIn,
  isStandbyCluster,
  knownTimings,
  timingsInForce,
  versionIn,
  withConfig,
} from '../../src/patroni/timings-in-force.js';
import type { Answer } from '../../src/patroni/types.js';

const saying = (body: unknown, status = 200): Answer => ({
  status,
  contentType: 'application/json',
  body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
});

/** `ttl`, `loop_wait` and `retry_timeout` in force, in seconds. */
function inForce(config: DynamicConfig, version?: string): readonly number[] | undefined {
  const timings = timingsInForce(config, version);
  return timings && [timings.ttlMs, timings.loopWaitMs, timings.retryTimeoutMs].map((ms) => ms / 1000);
}

const written = (ttl: unknown, loopWait: unknown, retryTimeout: unknown): DynamicConfig => ({
  ttl,
  loop_wait: loopWait,
  retry_timeout: retryTimeout,
});

describe("Patroni's dynamic configuration", () => {
  it('is the object that /config has', () => {
    assert.deepEqual(configIn(saying({ ttl: 60 })), { ttl: 60 });
  });

  it('is not known from anything else, and Patroni takes no notice of an empty one', () => {
    for (const body of ['', 'no', '[]', '7', 'null', '{}']) assert.equal(configIn(saying(body)), undefined, body);
    assert.equal(configIn(saying({ ttl: 60 }, 502)), undefined);
  });

  it('makes a standby cluster by a host, a port or a command', () => {
    for (const section of [{ host: 'a' }, { port: 5432 }, { restore_command: 'cp' }]) {
      assert.ok(isStandbyCluster({ standby_cluster: section }), JSON.stringify(section));
    }
    for (const section of [undefined, null, {}, { host: '' }, { primary_slot_name: 'a' }, 'host', [1]]) {
      assert.ok(!isStandbyCluster({ standby_cluster: section }), JSON.stringify(section));
    }
  });
});

describe("Patroni's version", () => {
  it('is in the bodies of its health routes', () => {
    assert.equal(versionIn(saying({ state: 'running', patroni: { version: '4.1.4', scope: 'main' } }, 503)), '4.1.4');
    for (const body of ['no', {}, { patroni: 'x' }, { patroni: null }, { patroni: { version: 4 } }]) {
      assert.equal(versionIn(saying(body)), undefined, JSON.stringify(body));
    }
    const padded = (bytes: number): Answer => ({
      status: 200,
      body: Buffer.from('{"patroni":{"version":"4.1.4"}}'.padEnd(bytes)),
    });
    assert.equal(versionIn(padded(MAX_PARSED_BYTES)), '4.1.4');
    assert.equal(versionIn(padded(MAX_PARSED_BYTES + 1)), undefined);
  });
});

describe('the timings in force', () => {
  it("are those that are written, with Patroni's own for what is not there", () => {
    for (const version of ['2.1.7', '3.0.2', '3.1.2', '3.2.0', '4.1.4']) {
      assert.deepEqual(inForce(written(60, 5, 8), version), [60, 5, 8], version);
      assert.deepEqual(inForce({ ttl: 60, postgresql: {} }, version), [60, 10, 10], version);
      assert.deepEqual(inForce({ pause: false }, version), [30, 10, 10], version);
      assert.equal(timingsInForce(written(60, 5, 8), version)?.written, undefined, version);
    }
  });

  it('keep the rule from 3.2 on: loop_wait is lowered, and then retry_timeout', () => {
    for (const version of ['3.2.0', '3.3.11', '4.0.0', '4.1.4', '10.0.0']) {
      assert.deepEqual(inForce(written(30, 10, 30), version), [30, 1, 14], version);
      assert.deepEqual(inForce(written(30, 20, 10), version), [30, 10, 10], version);
      assert.deepEqual(inForce(written(30, 10, 14), version), [30, 2, 14], version);
      assert.deepEqual(inForce(written(31, 10, 15), version), [31, 1, 15], version);
      assert.deepEqual(timingsInForce(written(30, 10, 30), version)?.written, written(30, 10, 30), version);
    }
  });

  it('are as they are written before 3.2', () => {
    for (const version of ['2.1.7', '3.0.2', '3.1.2', undefined, 'new']) {
      assert.deepEqual(inForce(written(30, 10, 30), version), [30, 10, 30], version);
      assert.deepEqual(inForce(written(5, 0, 1), version), [5, 0, 1], version);
      assert.deepEqual(inForce(written(-5, -1, -1), version), [0, 0, 0], version);
    }
  });

  it('are not below the minima from 3.2 on', () => {
    assert.deepEqual(inForce(written(5, 0, 1), '3.2.0'), [20, 1, 3]);
    assert.deepEqual(inForce(written(0, -7, 30), '4.1.4'), [20, 1, 9]);
  });

  it('keep the rule and the minima from 3.2 on, whatever is written, and a second time changes nothing', () => {
    const seconds = fc.integer({ min: -100, max: 1000 });
    fc.assert(
      fc.property(seconds, seconds, seconds, (...values) => {
        const [ttl = NaN, loopWait = NaN, retryTimeout = NaN] = inForce(written(...values), '4.1.4') ?? [];
        assert.ok(loopWait + 2 * retryTimeout <= ttl && ttl >= 20 && loopWait >= 1 && retryTimeout >= 3);
        assert.deepEqual(inForce(written(ttl, loopWait, retryTimeout), '4.1.4'), [ttl, loopWait, retryTimeout]);
      }),
    );
  });

  it('are read as Python reads them', () => {
    const cases: readonly [value: unknown, seconds: number][] = [
      ['60', 60],
      [' +60\n', 60],
      ['0_6_0', 60],
      ['060', 60],
      [60.9, 60],
      [6e1, 60],
      [true, 1],
    ];
    for (const version of ['3.0.2', '4.1.4']) {
      for (const [value, seconds] of cases) {
        const read = inForce({ loop_wait: value, ttl: 90 }, version)?.[1];
        assert.equal(read, seconds, `${JSON.stringify(value)} at ${version}`);
      }
    }
  });

  it('are not there where Patroni refuses what is written', () => {
    for (const value of ['', 'long', '60.5', '6e1', '60s', '1__0', '_1', null, [], [60], {}]) {
      for (const key of ['ttl', 'loop_wait', 'retry_timeout']) {
        for (const version of ['3.0.2', '4.1.4']) {
          assert.equal(timingsInForce({ [key]: value }, version), undefined, `${key}: ${JSON.stringify(value)}`);
        }
      }
    }
    assert.equal(timingsInForce(JSON.parse('{"ttl": 1e999}') as DynamicConfig, '4.1.4'), undefined);
  });

  it('are not there where Patroni refuses the whole for another key', () => {
    const always: readonly DynamicConfig[] = [
      { postgresql: 'on' },
      { postgresql: [1] },
      { postgresql: { parameters: 7 } },
      { standby_cluster: true },
    ];
    const before303: readonly DynamicConfig[] = [
      { maximum_lag_on_failover: '1MB' },
      { synchronous_node_count: null },
      { master_start_timeout: 'x' },
      { watchdog: { mode: 'off' } },
      { postgresql: { parameters: { Max_Connections: 'many' } } },
    ];
    for (const config of always) {
      for (const version of ['3.0.2', '4.1.4']) assert.equal(timingsInForce(config, version), undefined);
    }
    for (const config of before303) {
      assert.equal(timingsInForce(config, '3.0.2'), undefined, JSON.stringify(config));
      for (const version of ['3.0.3', '3.1.0', '4.1.4']) assert.ok(timingsInForce(config, version), version);
    }
    const taken = { postgresql: {}, standby_cluster: null, master_start_timeout: 'x', primary_start_timeout: 5 };
    assert.ok(timingsInForce(taken, '3.0.2'));
    assert.ok(timingsInForce({ postgresql: { parameters: { max_connections: '50', work_mem: 'x' } } }, '3.0.2'));
  });

  it('have failsafe mode on by any word that Patroni takes for it, from 3.0 on', () => {
    const failsafe = (value: unknown, version?: string) =>
      timingsInForce({ failsafe_mode: value }, version)?.failsafeMode;
    for (const value of [true, 'on', 'ON', 'true', 'Yes', '1', 1])
      assert.equal(failsafe(value, '3.0.2'), true, JSON.stringify(value));
    for (const value of [false, 'off', 'no', '0', 0, 'enabled', ' on', null, ['on'], {}]) {
      assert.equal(failsafe(value, '4.1.4'), false, JSON.stringify(value));
    }
    assert.equal(failsafe(true, '2.1.7'), false);
    assert.equal(failsafe(true), false);
  });
});

describe('what is known of the dynamic configuration', () => {
  const [first, refused, second] = [{ ttl: 60 }, { ttl: 'long' }, { ttl: 40 }];

  it('is the newest that Patroni has not refused', () => {
    let known = withConfig([], first, '4.1.4');
    for (const [config, ttl] of [
      [refused, 60],
      [refused, 60],
      [second, 40],
      [refused, 40],
    ] as const) {
      known = withConfig(known, config, '4.1.4');
      assert.equal(knownTimings(known, '4.1.4')?.ttlMs, ttl * 1000);
    }
  });

  it('is nothing where Patroni has refused all', () => {
    assert.equal(knownTimings([], '4.1.4'), undefined);
    assert.equal(knownTimings(withConfig([], refused, '4.1.4'), '4.1.4'), undefined);
  });

  it('is by the version of the answer in question: a Patroni that was upgraded counts at once', () => {
    const known = withConfig([], written(30, 10, 30), '3.0.2');
    assert.equal(knownTimings(known, '4.1.4')?.retryTimeoutMs, 14_000);
  });
});

describe('a version of Patroni', () => {
  it('is compared number by number', () => {
    const isAdjusted = (version: string): boolean =>
      timingsInForce(written(30, 10, 30), version)?.written !== undefined;
    for (const version of ['3.2', '3.2.0', '3.10.1', '10.0', '4.0.0rc1', '3.2.0.dev1']) {
      assert.ok(isAdjusted(version), version);
    }
    for (const version of ['3.1.10', '2.10.3', '1.9', 'x3.2.0', '32', '', 'new'])
      assert.ok(!isAdjusted(version), version);
    const refused = { maximum_lag_on_failover: 'x' };
    for (const [version, isRead] of [
      ['3.0.2', false],
      ['3.0.3', true],
      ['3.0.10', true],
      ['3.0', false],
    ] as const) {
      assert.equal(timingsInForce(refused, version) !== undefined, isRead, version);
    }
  });

  it('decides on failsafe mode as parse_bool reads it', () => {
    const failsafe = (value: unknown): boolean | undefined =>
      timingsInForce({ failsafe_mode: value }, '4.1.4')?.failsafeMode;
    for (const value of [true, 1, '1', 'on', 'ON', 'true', 'yes']) assert.equal(failsafe(value), true, String(value));
    for (const value of [false, 0, 10, 'onward', 'off', 'no', '', null, {}, ['on']]) {
      assert.equal(failsafe(value), false, JSON.stringify(value));
    }
  });

  it('decides on what else is refused', () => {
    const isRefused = (config: DynamicConfig, version: string): boolean =>
      timingsInForce(config, version) === undefined;
    for (const what of ['start', 'stop']) {
      assert.ok(isRefused({ [`master_${what}_timeout`]: 'x' }, '3.0.2'), what);
      assert.ok(!isRefused({ [`master_${what}_timeout`]: 'x', [`primary_${what}_timeout`]: 1 }, '3.0.2'), what);
      assert.ok(!isRefused({ [`master_${what}_timeout`]: 1 }, '3.0.2'), what);
      assert.ok(!isRefused({ [`master_${what}_timeout`]: 'x' }, '3.0.3'), what);
    }
    for (const nothing of [[], {}, '', 0, false, null]) {
      assert.ok(!isRefused({ postgresql: nothing }, '4.1.4'), JSON.stringify(nothing));
    }
    assert.ok(isRefused({ ttl: '1_0x' }, '4.1.4'));
    assert.deepEqual(inForce({ ttl: '1_00_0' }, '4.1.4')?.[0], 1000);
  });
});
