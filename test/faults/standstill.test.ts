import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Socket, connect } from 'node:net';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Service, startService } from '../support/service.js';
import { type Upstream, answering, silent, startUpstream } from '../support/upstream.js';
import { eventually, within } from '../support/wait.js';

const TTL_S = 1;

describe('a service that stood still itself (SIGSTOP, SIGCONT) for longer than the time to live', () => {
  let upstream: Upstream;
  let service: Service;
  before(async () => {
    upstream = await startUpstream();
  });
  after(() => upstream.close());
  afterEach(() => service.close());

  /** Sends a check that the kernel takes in and the stopped service does not answer yet; what comes, it resolves with. */
  async function queueCheck(): Promise<() => Promise<string>> {
    const socket: Socket = connect(service.port, '127.0.0.1');
    await within('connected', 5000, once(socket, 'connect'));
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    const closed = once(socket, 'close');
    socket.write('GET /primary HTTP/1.0\r\n\r\n');
    return async () => {
      await within('the check is answered', 5000, closed);
      return text;
    };
  }

  it('gives not one stale 200 to the checks that queued at its socket', async () => {
    upstream.behave(answering(200));
    service = await startService({
      config: { backend: { host: '127.0.0.1', port: upstream.port }, cache: { ttl: TTL_S, interval: 0.1 } },
      flags: ['--debug'],
    });
    for (let round = 0; round < 3; round += 1) {
      upstream.behave(answering(200));
      await eventually('/primary is 200', 5000, async () => (await service.get('/primary')).status === 200);
      service.signal('SIGSTOP');
      upstream.behave(silent); // what is polled after the stop brings nothing new
      const answers = await Promise.all(Array.from({ length: 50 }, queueCheck));
      await sleep(TTL_S * 1000 + 100); // the passing of time is what is tested
      service.signal('SIGCONT');
      for (const answer of answers) assert.match(await answer(), /^HTTP\/1\.1 503 /);
    }
  });
});
