import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type PatroniTimings, timingsInForce } from '../../src/patroni/timings-in-force.js';
import { safeTtlMs, toleratedMs } from '../../src/patroni/timings.js';

const of = (ttl: number, loopWait: number, retryTimeout: number, version = '3.0.2', more = {}): PatroniTimings =>
  timingsInForce({ ttl, loop_wait: loopWait, retry_timeout: retryTimeout, ...more }, version) ?? assert.fail();

describe('the largest safe cache.ttl', () => {
  it('is ttl - loop_wait - retry_timeout', () => {
    assert.equal(safeTtlMs(of(30, 10, 10)), 10_000);
  });

  it('follows from the timings in force', () => {
    assert.equal(safeTtlMs(of(30, 10, 30, '3.2.0')), 15_000);
  });

  it('is not above 0 if Patroni leaves no time', () => {
    assert.equal(safeTtlMs(of(20, 10, 10)), 0);
    assert.equal(safeTtlMs(of(30, 10, 30)), -10_000);
  });
});

describe("the time that a leader's 200 counts without its DCS", () => {
  it('is loop_wait + retry_timeout', () => {
    assert.equal(toleratedMs(of(30, 10, 10)), 20_000);
    assert.equal(toleratedMs(of(20, 1, 3)), 4000);
    assert.equal(toleratedMs(of(30, 10, 30, '3.2.0')), 15_000);
  });

  it('is longer by the asking of the members where failsafe mode is on', () => {
    const failsafe = { failsafe_mode: 'on' };
    assert.equal(toleratedMs(of(30, 10, 10, '3.0.2', failsafe)), 24_000);
    assert.equal(toleratedMs(of(20, 1, 9, '4.1.4', failsafe)), 14_000);
    assert.equal(toleratedMs(of(20, 10, 5, '3.0.2', failsafe)), 17_500, 'not beyond half of what is left');
    assert.equal(toleratedMs(of(30, 10, 30, '3.0.2', failsafe)), 20_000);
  });

  it('leaves load balancers half of ttl - loop_wait where Patroni before 3.2 breaks its rule', () => {
    assert.equal(toleratedMs(of(30, 10, 11)), 20_000);
    assert.equal(toleratedMs(of(30, 10, 30)), 20_000);
    assert.equal(toleratedMs(of(20, 10, 10)), 15_000);
    assert.equal(toleratedMs(of(10, 10, 10)), 10_000);
    assert.equal(toleratedMs(of(10, 60, 10)), 10_000, 'never over ttl');
    assert.equal(toleratedMs(of(0, 0, 10)), 0);
  });
});
