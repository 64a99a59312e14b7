import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { after, before, beforeEach, describe, it } from 'node:test';
import { type Service, startService } from '../support/service.js';
import {
  type Behaviour,
  type Upstream,
  answering,
  dripping,
  ending,
  pouring,
  resetting,
  silent,
  stalling,
  startUpstream,
} from '../support/upstream.js';
import { eventually } from '../support/wait.js';

/** Every fault that ends in "no answer": the last answer must stay until its time runs out, and then be 503. */
const FAULTS: readonly (readonly [string, Behaviour])[] = [
  ['says nothing', silent],
  ['stops inside the headers', stalling('HTTP/1.0 200 OK\r\nContent-')],
  ['stops inside the body', stalling('HTTP/1.0 200 OK\r\nContent-Length: 100\r\n\r\nhalf')],
  ['drips its body', dripping(20)],
  ['resets', resetting()],
  ['resets inside the body', resetting('HTTP/1.0 200 OK\r\nContent-Length: 100\r\n\r\nhalf')],
  ['closes without a word', ending('')],
  ['speaks garbage', ending('\0\x01\x02 garbage \xff\r\n\r\n')],
  ['sends 100 MB', pouring(100_000_000)],
];

const CACHE = { ttl: 1, interval: 0.1 };
const CANONICAL_ROUTES = 3;

describe('an upstream that misbehaves', () => {
  let upstream: Upstream;
  let service: Service;
  before(async () => {
    upstream = await startUpstream();
    service = await startService({ config: { backend: { host: '127.0.0.1', port: upstream.port }, cache: CACHE } });
  });
  after(async () => {
    await service.close();
    await upstream.close();
  });
  beforeEach(async () => {
    upstream.behave(answering(200));
    await eventually('/primary is 200', 5000, async () => (await service.get('/primary')).status === 200);
  });

  const openFiles = (): number => readdirSync(`/proc/${service.pid}/fd`).length;

  for (const [name, fault] of FAULTS) {
    it(`and ${name}: replies go on, the answer ends with its time, one connection a route, recovery alone`, async () => {
      const filesBefore = openFiles();
      upstream.behave(fault);
      const statuses = new Set<number | undefined>();
      await eventually('/primary is 503', 5000, async () => {
        const { status } = await service.get('/primary');
        statuses.add(status);
        return status === 503;
      });
      assert.deepEqual(statuses, new Set([200, 503]), 'nothing but the last answer, and then none');
      assert.ok(upstream.connections.most <= CANONICAL_ROUTES, `${upstream.connections.most} connections at once`);
      assert.ok(openFiles() <= filesBefore + CANONICAL_ROUTES + 1, 'no files are left open');
      upstream.behave(answering(200));
      await eventually('/primary is 200 again', 5000, async () => (await service.get('/primary')).status === 200);
    });
  }

  for (const status of [302, 500, 503]) {
    it(`and answers ${status}: that is an answer, and replaces a 200 at once`, async () => {
      upstream.behave(ending(`HTTP/1.0 ${status} X\r\nLocation: http://127.0.0.1:1/\r\n\r\n`));
      await eventually(`/primary is ${status}`, 5000, async () => (await service.get('/primary')).status === status);
    });
  }

  it('and restarts on its port within the time to live: not one check sees it', async () => {
    const { port } = upstream;
    await upstream.close();
    const { status } = await service.get('/primary');
    upstream = await startUpstream({ port });
    assert.equal(status, 200);
    await eventually('polls arrive again', 5000, () => upstream.requests.length > 0);
    assert.equal((await service.get('/primary')).status, 200);
  });

  it('is logged by the first failure of a series and its end, never a line per poll', async () => {
    const before = service.output().length;
    upstream.behave(ending(''));
    await eventually('/primary is 503', 5000, async () => (await service.get('/primary')).status === 503);
    upstream.behave(answering(200));
    await eventually('the end is logged', 5000, () =>
      /\/primary: polls are answered again: \d+ failed in \d/.test(service.output().slice(before)),
    );
    const lines = service.output().slice(before).split('\n');
    const ofPrimary = lines.filter((line) => line.includes(': /primary: '));
    assert.equal(ofPrimary.length, 4, ofPrimary.join('\n'));
    assert.match(ofPrimary[1] ?? '', /warn: \/primary: 200 -> 503 \(stale: connection reset for \d\.\d s\)$/);
  });
});
