import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type PatroniTimings, timingsInForce } from '../../src/patroni/timings-in-force.js';
import { ttlWarning, unknownTimingsWarning } from '../../src/streams/ttl-warning.js';

const of = (ttl: number, loopWait: number, retryTimeout: number, version = '3.0.2', more = {}): PatroniTimings =>
  timingsInForce({ ttl, loop_wait: loopWait, retry_timeout: retryTimeout, ...more }, version) ?? assert.fail();
const unguarded = (ttlMs: number) => ({ ttlMs, leaseGuard: false });
const guarded = (ttlMs: number) => ({ ttlMs, leaseGuard: true });

describe('the warning about cache.ttl', () => {
  it('names the largest safe value if cache.ttl is over it', () => {
    assert.equal(ttlWarning(unguarded(10_000), of(30, 10, 10)), undefined);
    assert.equal(
      ttlWarning(unguarded(10_001), of(30, 10, 10)),
      "cache.ttl (10.001 s) is over Patroni's ttl - loop_wait - retry_timeout (30 - 10 - 10 = 10 s): patroniglue could " +
        "still answer an old primary's 200 when a new primary answers 200; set it to 10 or less",
    );
  });

  it('says that the lease guard keeps the leader routes safe', () => {
    const warning = ttlWarning(guarded(20_000), of(30, 10, 10));
    assert.match(warning ?? '', /= 10 s\): the lease guard ends a primary's 200 in time, but /);
  });

  it('uses the timings in force, and names those in the configuration', () => {
    assert.equal(ttlWarning(unguarded(15_000), of(30, 10, 30, '3.2.0')), undefined);
    assert.match(
      ttlWarning(unguarded(16_000), of(30, 10, 30, '4.1.4')) ?? '',
      /\(30 - 1 - 14 = 15 s; Patroni uses these values, although its configuration says 30, 10 and 30\): /,
    );
  });

  it('says how to change the timings if they leave no time', () => {
    assert.match(
      ttlWarning(unguarded(1), of(20, 10, 10)) ?? '',
      /= 0 s\).*; change Patroni's timings: set ttl to 30 or more, or retry_timeout to 5 or less$/,
    );
    // 3 s is the least retry_timeout that later versions of Patroni take
    assert.match(ttlWarning(unguarded(1), of(16, 10, 10)) ?? '', /or retry_timeout to 3 or less$/);
    assert.match(ttlWarning(unguarded(1), of(15, 10, 10)) ?? '', /timings: set ttl to 30 or more$/);
    assert.match(ttlWarning(unguarded(1), of(10, 10, 10)) ?? '', /timings: set ttl to 30 or more$/);
  });

  it('says how to change timings that break the rule of Patroni, if the lease guard is on', () => {
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

  it('says which timings the lease guard assumes while they are not known', () => {
    assert.match(
      unknownTimingsWarning(guarded(4000)),
      /^Patroni answers, but its timings are not known: GET .* The lease guard assumes Patroni's defaults \(ttl 30, .*\), and patroniglue cannot/,
    );
    assert.match(unknownTimingsWarning(unguarded(4000)), /version\. patroniglue cannot check cache\.ttl$/);
  });
});
