import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { type LastChecks, createLastChecks } from '../../src/http/last-checks.js';

const from = (remoteAddress: string | undefined): { connection: { remoteAddress: string | undefined } } => ({
  connection: { remoteAddress },
});

describe('the last check of a route', () => {
  let nowMs: number;
  let checks: LastChecks;
  beforeEach(() => {
    nowMs = 1000;
    checks = createLastChecks(() => nowMs);
  });

  it('has the address of the client and the time, for each route', () => {
    assert.equal(checks.of('/primary'), undefined);
    checks.note('/primary', from('10.0.0.5'));
    nowMs = 3000;
    checks.note('/replica', from('10.0.0.6'));
    assert.deepEqual(checks.of('/primary'), { address: '10.0.0.5', atMs: 1000 });
    assert.deepEqual(checks.of('/replica'), { address: '10.0.0.6', atMs: 3000 });
    checks.note('/primary', from('10.0.0.7'));
    assert.deepEqual(checks.of('/primary'), { address: '10.0.0.7', atMs: 3000 });
    checks.forget('/primary');
    assert.equal(checks.of('/primary'), undefined);
  });

  it('has the address in the PROXY header, if there is one', () => {
    checks.note('/primary', { ...from('127.0.0.1'), proxyClient: '10.0.0.5' });
    assert.equal(checks.of('/primary')?.address, '10.0.0.5');
  });

  it('has no address if the connection was reset before', () => {
    checks.note('/primary', from(undefined));
    assert.deepEqual(checks.of('/primary'), { atMs: 1000 });
  });

  it('does not ask the kernel for the address of each check of a flood', () => {
    let asked = 0;
    const client = {
      connection: {
        get remoteAddress() {
          asked += 1;
          return '10.0.0.5';
        },
      },
    };
    for (; nowMs < 2000; nowMs += 1) checks.note('/primary', client);
    assert.equal(asked, 5);
    assert.deepEqual(checks.of('/primary'), { address: '10.0.0.5', atMs: 1800 });
  });
});
