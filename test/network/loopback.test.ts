import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { areLoopback, isLoopback } from '../../src/network/loopback.js';

describe('a host on loopback', () => {
  for (const host of ['localhost', 'LOCALHOST', '127.0.0.1', '127.9.9.9', '::1', '0:0:0:0:0:0:0:1', '::1%lo']) {
    it(`is ${host}`, () => {
      assert.equal(isLoopback(host), true);
    });
  }

  for (const host of ['10.0.0.11', '::', '0.0.0.0', 'fe80::1%eth0', '127.example.org', 'localhost.example.org', '']) {
    it(`is not "${host}"`, () => {
      assert.equal(isLoopback(host), false);
    });
  }

  it('is told of listening addresses if all are', () => {
    assert.equal(areLoopback(['127.0.0.1:8009', '[::1]:8009']), true);
    assert.equal(areLoopback(['127.0.0.1:8009', '10.0.0.11:8009']), false);
    assert.equal(areLoopback([]), false);
  });
});
