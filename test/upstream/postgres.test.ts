import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { firstValueFrom } from 'rxjs';
import type { ResolveAll } from '../../src/upstream/addresses.js';
import { type PostgresAnswer, type PostgresOptions, createPostgresProbe } from '../../src/upstream/postgres.js';
import { fillAcceptQueue } from '../support/upstreams/accept-queue.js';
import {
  type Behaviour,
  type Upstream,
  type UpstreamOptions,
  ending,
  flooding,
  resetting,
  silent,
  startUpstream,
  stalling,
} from '../support/upstreams/upstream.js';
import { eventually } from '../support/time/wait.js';

const upstreams: Upstream[] = [];

afterEach(async () => {
  await Promise.all(upstreams.splice(0).map((upstream) => upstream.close()));
});

async function start(onConnection: Behaviour, options: UpstreamOptions = {}): Promise<Upstream> {
  const upstream = await startUpstream({ ...options, onConnection });
  upstreams.push(upstream);
  return upstream;
}

function ask(port: number, overrides: Partial<PostgresOptions> = {}): Promise<PostgresAnswer> {
  return firstValueFrom(createPostgresProbe({ host: '127.0.0.1', port, connectMs: 5000, ...overrides }));
}

function whyOf(answer: PostgresAnswer, state = 'refuses'): string {
  assert.equal(answer.state, state);
  return 'why' in answer ? answer.why : assert.fail('accepts');
}

describe('createPostgresProbe', () => {
  it('sends eight bytes, takes one, and closes', async () => {
    const sent: Buffer[] = [];
    const upstream = await start((socket) => {
      socket.on('data', (bytes: Buffer) => {
        sent.push(bytes);
        socket.write('N');
      });
    });
    assert.deepEqual(await ask(upstream.port), { state: 'accepts' });
    await upstream.idle();
    assert.equal(Buffer.concat(sent).toString('hex'), '0000000804d21630');
  });

  it('is cold, and asks on a new connection each time', async () => {
    const upstream = await start(stalling('G'));
    const asking = createPostgresProbe({ host: '127.0.0.1', port: upstream.port, connectMs: 5000 });
    assert.equal(upstream.connections.most, 0);
    for (let times = 0; times < 2; times += 1) {
      assert.deepEqual(await firstValueFrom(asking), { state: 'accepts' });
      await upstream.idle();
    }
  });

  for (const [name, behaviour, why] of [
    ['answers with an error', stalling('E\0\0\0\x10SFATAL\0'), /answered with an error/],
    ['is no PostgreSQL', ending('HTTP/1.0 400 Bad Request\r\n\r\n'), /not as PostgreSQL/],
    ['sends endless bytes', flooding('', 'xxxxxxxx'), /not as PostgreSQL/],
    ['closes without an answer', ending(''), /closed the connection without an answer/],
    ['resets', resetting(), /ECONNRESET/],
  ] as const) {
    it(`says that PostgreSQL refuses, and why, if it ${name}`, async () => {
      const upstream = await start(behaviour);
      assert.match(whyOf(await ask(upstream.port)), why);
      await upstream.idle();
    });
  }

  it('says that PostgreSQL refuses if nobody listens', async () => {
    const upstream = await startUpstream();
    await upstream.close();
    assert.match(whyOf(await ask(upstream.port)), /ECONNREFUSED/);
    assert.match(whyOf(await ask(upstream.port, { host: 'localhost' })), /ECONNREFUSED/);
  });

  it('says that PostgreSQL is silent if the name is unknown, or is not looked up in time', async () => {
    const unknown: ResolveAll = (hostname, callback) => {
      callback(Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), { code: 'ENOTFOUND' }), []);
    };
    assert.match(
      whyOf(await ask(1, { host: 'postgres.test', resolve: unknown }), 'silent'),
      /ENOTFOUND postgres\.test/,
    );
    const slow = { host: 'postgres.test', resolve: () => undefined, connectMs: 20 };
    assert.match(whyOf(await ask(1, slow), 'silent'), /not looked up within 0\.02 s/);
  });

  for (const host of ['127.0.0.1', '::1']) {
    it(`reaches localhost if PostgreSQL listens on ${host} alone`, async () => {
      const upstream = await start(stalling('N'), { host });
      assert.deepEqual(await ask(upstream.port, { host: 'localhost' }), { state: 'accepts' });
    });
  }

  it('gives up a connection that is not made in time', async () => {
    const full = await fillAcceptQueue();
    try {
      assert.match(whyOf(await ask(full.port, { connectMs: 200 }), 'silent'), /not connected within 0\.2 s/);
    } finally {
      full.close();
    }
  });

  it('waits for a silent PostgreSQL until it is unsubscribed: no socket is left', async () => {
    const upstream = await start(silent);
    const asking = createPostgresProbe({ host: '127.0.0.1', port: upstream.port, connectMs: 5000 });
    const subscription = asking.subscribe({
      next: () => assert.fail('no answer came'),
      error: () => assert.fail('errored'),
    });
    await eventually('the connection is there', 5000, () => upstream.connections.open === 1);
    subscription.unsubscribe();
    await upstream.idle();
  });
});
