import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nowMs } from '../support/time/monotonic.js';
import { freePort } from '../support/processes/ports.js';
import { type Service, startService } from '../support/processes/service.js';
import { type Behaviour, type Upstream, answering, routeOf, startUpstream } from '../support/upstreams/upstream.js';
import { eventually } from '../support/time/wait.js';

const INTERVAL_S = 0.2;

/** A primary whose Patroni has read its DCS so long ago, by this host's clock. */
function primary(seenAgoS: number): Behaviour {
  return (socket, head) => {
    const said = {
      state: 'running',
      role: 'primary',
      // eslint-disable-next-line no-restricted-properties -- Patroni's own is by the wall clock
      dcs_last_seen: Math.floor(Date.now() / 1000) - seenAgoS,
      patroni: { version: '4.1.4', scope: 'main' },
    };
    answering(200, JSON.stringify(said))(socket, head);
  };
}

/** Says one thing to `/config`, and another to all else. */
function saying(config: Behaviour, other: Behaviour): Behaviour {
  return (socket, head) => {
    (routeOf(head) === '/config' ? config : other)(socket, head);
  };
}

const config = (dynamic: object): Behaviour => answering(200, JSON.stringify(dynamic));
const NONE = answering(502, 'no');

async function withService(
  body: (service: Service, start: (behaviour: Behaviour) => Promise<Upstream>) => Promise<void>,
): Promise<void> {
  const port = await freePort();
  const service = await startService({
    config: { backend: { host: '127.0.0.1', port }, cache: { interval: INTERVAL_S } },
  });
  let upstream: Upstream | undefined;
  try {
    await body(service, async (behaviour) => {
      upstream = await startUpstream({ port });
      upstream.behave(behaviour);
      return upstream;
    });
  } finally {
    await service.close();
    await upstream?.close();
  }
}

const status = async (service: Service): Promise<number | undefined> => (await service.get('/primary')).status;
const configsAsked = ({ requests }: Upstream): number => requests.filter((head) => routeOf(head) === '/config').length;

describe("Patroni's timings, where patroniglue starts before Patroni", () => {
  it('are asked for as soon as Patroni answers', async () => {
    await withService(async (service, start) => {
      await eventually('the first questions were refused', 5000, () => service.output().includes('refused'));
      await start(saying(config({ ttl: 300, loop_wait: 60, retry_timeout: 60 }), primary(100)));
      const beganMs = nowMs();
      await eventually('a 200 that the timings allow', 5000, async () => (await status(service)) === 200);
      assert.ok(nowMs() - beganMs < 2000, `after ${nowMs() - beganMs} ms`);
    });
  });

  it("are taken for Patroni's defaults until it has said them: a DCS read a minute ago is no 200", async () => {
    await withService(async (service, start) => {
      const upstream = await start(saying(NONE, primary(60)));
      await eventually('/config was asked for thrice', 10_000, () => configsAsked(upstream) >= 3);
      const reply = await service.get('/primary');
      assert.ok(reply.kind === 'reply');
      assert.match(reply.body, /Patroni has not reached its DCS for 6\d\.\d s/);
      assert.doesNotMatch(service.output(), /\/primary: \S+ -> 200/);
      upstream.behave(saying(NONE, primary(3)));
      await eventually('200 once it has read it', 5000, async () => (await status(service)) === 200);
    });
  });
});
