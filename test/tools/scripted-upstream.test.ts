import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { ask } from '../support/clients/http-get.js';
import { answering, startUpstream } from '../support/upstreams/upstream.js';

/** Connects, asks, and goes away, one after the other, while nobody accepts. */
const ASK_AND_LEAVE = `
  const { connect } = require('node:net');
  const next = (left) => left > 0 && connect(Number(process.argv[1]), '127.0.0.1', function () {
    this.end('GET /primary HTTP/1.1\\r\\n\\r\\n', () => { this.destroy(); next(left - 1); });
  });
  next(5);
`;

describe('the upstream that tests script', () => {
  it('does not count connections as at once when they waited to be accepted, each ended before the next', async () => {
    const upstream = await startUpstream({});
    try {
      const { port } = upstream;
      const { status } = spawnSync(process.execPath, ['-e', ASK_AND_LEAVE, String(port)], { timeout: 10_000 });
      assert.equal(status, 0);
      assert.equal((await ask(port, '/primary')).status, 200);
      await upstream.idle();
      assert.equal(upstream.requests.length, 6);
      assert.deepEqual(upstream.connections, { open: 0, most: 1, mostOfRoute: 1 });
    } finally {
      await upstream.close();
    }
  });

  it('counts those that are at once, in all and for a route', async () => {
    const upstream = await startUpstream({});
    try {
      upstream.behave(
        (socket) =>
          void setTimeout(() => {
            answering(200)(socket, '');
          }, 50),
      );
      await Promise.all(['/primary', '/primary', '/replica'].map((route) => ask(upstream.port, route)));
      const { most, mostOfRoute } = upstream.connections;
      assert.deepEqual([most, mostOfRoute], [3, 2]);
    } finally {
      await upstream.close();
    }
  });
});
