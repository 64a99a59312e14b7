import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { type Service, startService } from '../support/processes/service.js';
import { type Upstream, startUpstream } from '../support/upstreams/upstream.js';
import { eventually, within } from '../support/time/wait.js';

const LEARNED = 4;
const PREFETCHED = ['/primary', '/read-only', '/replica'];

/** The ends of their headers: replies to `HEAD` have nothing more. */
function countReplies(text: string): number {
  return text.split('\r\n\r\n').length - 1;
}

describe('a flood of distinct queries', () => {
  let upstream: Upstream;
  let service: Service;
  before(async () => {
    upstream = await startUpstream();
    const config = {
      backend: { host: '127.0.0.1', port: upstream.port },
      cache: { ttl: 2, interval: 0.2, learn: LEARNED },
    };
    service = await startService({ config, flags: [] });
    await eventually('ready', 5000, async () => (await service.get('/-/ready')).status === 200);
  });
  after(async () => {
    await service.close();
    await upstream.close();
  });

  /** Asks one after another on a kept connection, a few at a time; resolves with all that came back. */
  async function pipeline(targets: readonly string[]): Promise<string> {
    const socket = connect(service.port, '127.0.0.1');
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
    for (let asked = 0; asked < targets.length;) {
      const few = targets.slice(asked, asked + 5);
      asked += few.length;
      socket.write(few.map((target) => `HEAD ${target} HTTP/1.1\r\nHost: h\r\n\r\n`).join(''));
      let last = '';
      while (countReplies(last) < few.length) {
        const [chunk] = (await within('a reply', 5000, once(socket, 'data'))) as [string];
        last += chunk;
      }
    }
    socket.destroy();
    return text;
  }

  it('teaches no more than it may, opens no more connections, and is told of once', async () => {
    const targets = Array.from({ length: 5000 }, (_, lag) => `/replica?lag=${lag}`);
    const [text, ...known] = await Promise.all([pipeline(targets), ...PREFETCHED.map((target) => service.get(target))]);
    for (const reply of known) assert.equal(reply.status, 200);
    assert.equal(text.match(/HTTP\/1\.1 503 /g)?.length, targets.length);
    assert.equal(text.match(/Retry-After: 1\r/g)?.length, LEARNED);

    const learned = ['/replica?lag=0', '/replica?lag=1', '/replica?lag=2', '/replica?lag=3'];
    for (const target of learned) {
      await eventually(`${target} is 200`, 5000, async () => (await service.get(target)).status === 200);
    }
    assert.equal((await service.get('/replica?lag=5000')).status, 503);
    for (const target of PREFETCHED) assert.equal((await service.get(target)).status, 200);

    const polled = new Set(upstream.requests.map((head) => head.split(' ', 2)[1] ?? ''));
    assert.deepEqual([...polled].sort(), ['/config', ...PREFETCHED, ...learned].sort()); // the first for its timings
    assert.ok(upstream.connections.most <= 1 + PREFETCHED.length + LEARNED, String(upstream.connections.most));
    const told = service
      .output()
      .split('\n')
      .filter((line) => line.includes('not learned'));
    assert.equal(told.length, 1, told.join('\n'));
    assert.match(
      told[0] ?? '',
      /warn: \/replica\?lag=4: not learned: patroniglue has learned 4 routes already, the most that cache\.learn allows$/,
    );
  });
});
