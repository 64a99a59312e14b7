import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Answer } from '../src/snapshot.js';
import { safeTtlMs, timingsIn, ttlWarning } from '../src/ttl-bound.js';

const saying = (body: unknown, status = 200): Answer => ({
  status,
  contentType: 'application/json',
  body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
});
const of = (ttl: number, loopWait: number, retryTimeout: number, failsafeMode = false) => ({
  ttlMs: ttl * 1000,
  loopWaitMs: loopWait * 1000,
  retryTimeoutMs: retryTimeout * 1000,
  failsafeMode,
});
const unguarded = (ttlMs: number) => ({ ttlMs, leaseGuard: false });

describe("Patroni's timings", () => {
  it("are those of its dynamic configuration, with Patroni's own for what it lacks", () => {
    assert.deepEqual(timingsIn(saying({ ttl: 60, loop_wait: 5, retry_timeout: 8 })), of(60, 5, 8));
    assert.deepEqual(timingsIn(saying({ ttl: '60', postgresql: {} })), of(60, 10, 10));
    assert.deepEqual(timingsIn(saying({})), of(30, 10, 10));
    assert.deepEqual(timingsIn(saying({ failsafe_mode: true })), of(30, 10, 10, true));
  });

  it('are not known from anything else', () => {
    for (const body of ['', 'no', '[]', '7', 'null', '{"ttl": "long"}', '{"ttl": -1}', '{"ttl": []}', '{"ttl": {}}']) {
      assert.equal(timingsIn(saying(body)), undefined, body);
    }
    assert.equal(timingsIn(saying({ ttl: 60 }, 502)), undefined);
  });
});

describe('the bound of cache.ttl', () => {
  it('is ttl - loop_wait - retry_timeout', () => {
    assert.equal(safeTtlMs(of(30, 10, 10)), 10_000);
    assert.equal(ttlWarning(unguarded(10_000), of(30, 10, 10)), undefined);
    assert.equal(
      ttlWarning(unguarded(10_001), of(30, 10, 10)),
      "cache.ttl (10.001 s) is over Patroni's ttl - loop_wait - retry_timeout (30 - 10 - 10 = 10 s): a kept 200 could " +
        "stand beside a new primary's; set it to 10 or less",
    );
  });

  it('is safe for leader routes where the lease guard is on, and the warning says so', () => {
    const warning = ttlWarning({ ttlMs: 20_000, leaseGuard: true }, of(30, 10, 10));
    assert.match(warning ?? '', /= 10 s\): the lease guard ends a primary's 200 in time, but /);
  });

  it('is nothing that can be kept to where Patroni leaves no room', () => {
    assert.match(ttlWarning(unguarded(1), of(20, 10, 10)) ?? '', /= 0 s\).*; raise Patroni's ttl$/);
  });
});
