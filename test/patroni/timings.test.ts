import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type PatroniTimings, timingsInForce } from '../../src/patroni/timings-in-force.js';
import { safeTtlMs, toleratedMs } from '../../src/patroni/timings.js';
import { ttlWarning } from '../../src/streams/ttl-warning.js';

const of = (ttl: number, loopWait: number, retryTimeout: number, version = '3.0.2', more = {}): PatroniTimings =>
  timingsInForce({ ttl, loop_wait: loopWait, retry_timeout: retryTimeout, ...more }, version) ?? assert.fail();
const unguarded = (ttlMs: number) => ({ ttlMs, leaseGuard: false });
const guarded = (ttlMs: number) => ({ ttlMs, leaseGuard: true });

describe('the bound of cache.ttl', () => {
  it('is ttl - loop_wait - retry_timeout', () => {
    assert.equal(safeTtlMs(of(30, 10, 10)), 10_000);
    assert.equal(ttlWarning(unguarded(10_000), of(30, 10, 10)), undefined);
    assert.equal(
      ttlWarning(unguarded(10_001), of(30, 10, 10)),
      "cache.ttl (10.001 s) is over Patroni's ttl - loop_wait - retry_timeout (30 - 10 - 10 = 10 s): patroniglue could " +
        "still answer an old primary's 200 when a new primary answers 200; set it to 10 or less",
    );
  });

  it('is safe for leader routes where the lease guard is on, and the warning says so', () => {
    const warning = ttlWarning(guarded(20_000), of(30, 10, 10));
    assert.match(warning ?? '', /= 10 s\): the lease guard ends a primary's 200 in time, but /);
  });

  it('is that of the timings in force, and the warning says which are written', () => {
    assert.equal(ttlWarning(unguarded(15_000), of(30, 10, 30, '3.2.0')), undefined);
    assert.match(
      ttlWarning(unguarded(16_000), of(30, 10, 30, '4.1.4')) ?? '',
      /\(30 - 1 - 14 = 15 s; Patroni uses these values, although its configuration says 30, 10 and 30\): /,
    );
  });

  it('is nothing that can be kept to where Patroni leaves no room, and the warning says what to change there', () => {
    assert.match(
      ttlWarning(unguarded(1), of(20, 10, 10)) ?? '',
      /= 0 s\).*; change Patroni's timings: set ttl to 30 or more, or retry_timeout to 5 or less$/,
    );
    assert.match(ttlWarning(unguarded(1), of(10, 10, 10)) ?? '', /timings: set ttl to 30 or more$/);
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

  it('is told with what to change there, where the lease guard is on', () => {
    assert.equal(
      ttlWarning(guarded(4000), of(30, 10, 15)),
      "Patroni's loop_wait + 2 * retry_timeout (10 + 2 * 15 = 40 s) is over its ttl (30 s), and Patroni before 3.2 does not " +
        "adjust them: the lease guard ends a primary's 200 20 s after Patroni has read its DCS, but Patroni itself may " +
        'answer 200 for longer; set ttl to 40 or more, or retry_timeout to 10 or less',
    );
    assert.equal(ttlWarning(unguarded(4000), of(30, 10, 15)), undefined);
    assert.equal(ttlWarning(guarded(4000), of(30, 10, 15, '4.1.4')), undefined);
    assert.match(
      ttlWarning(guarded(4000), of(30, 10, 30)) ?? '',
      /^cache\.ttl \(4 s\) is over .* \(30 - 10 - 30 = -10 s\).*\. Patroni's loop_wait \+ 2 \* retry_timeout /,
    );
  });
});
