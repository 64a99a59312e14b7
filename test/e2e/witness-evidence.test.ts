import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Cluster, startCluster } from '../support/cluster/cluster.js';
import type { EtcdMember } from '../support/cluster/etcd.js';
import type { Node } from '../support/cluster/patroni-node.js';
import { CLUSTER_KEY, untilWitnessAgrees, witnessOf } from '../support/cluster/witness.js';
import { skipReason } from '../support/processes/programs.js';
import { type Service, startService } from '../support/processes/service.js';
import { nowMs } from '../support/time/monotonic.js';
import { always, eventually } from '../support/time/wait.js';
import { type LeaderWatch, momentOf200, placesOf, watchLeaders } from '../tools/safety/leaders.js';

const EVERY_MS = 50;

/** How long an answer is fresh: what a witness says never lasts for longer without new evidence. */
const TTL_MS = 4000;

/** Long enough that a read of the evidence has to be made in between. */
const LONGER_MS = TTL_MS + 2000;

function freeze(one: EtcdMember): Promise<unknown> {
  one.freeze();
  return Promise.resolve();
}

function thaw(one: EtcdMember): Promise<void> {
  one.thaw();
  return Promise.resolve();
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;

describe('the evidence of the witness, while the API of the primary is frozen', { skip: await skipReason() }, () => {
  let cluster: Cluster;
  let services: readonly Service[] = [];
  let [primary, other]: [Node, Node] = [] as never;
  let service: Service;
  let watch: LeaderWatch;
  let isFrozen = false;

  before(async () => {
    // ttl and retry_timeout: a change of etcd's leader costs Patroni some seconds, which must not cost it the leader key
    cluster = await startCluster({ etcds: 3, hangable: true, dynamic: { ttl: 30, retry_timeout: 10 } });
    services = await Promise.all(
      cluster.nodes.map((node) =>
        startService({
          config: {
            ...{ backend: { host: '127.0.0.1', port: node.restPort }, witness: witnessOf(cluster, node) },
            cache: { ttl: TTL_MS / 1000, interval: 1 },
          },
        }),
      ),
    );
  });
  after(async () => {
    await Promise.all(services.map((one) => one.close()));
    await cluster.close();
  });

  const serviceOf = (node: Node): Service => services[cluster.nodes.indexOf(node)] ?? assert.fail();
  const says200 = async (): Promise<boolean> => (await service.get('/primary')).status === 200;
  const last200Ms = (node: Node): number => momentOf200('last', watch.said, node.name, 'patroniglue') ?? NaN;
  const first200Ms = (node: Node): number => momentOf200('first', watch.said, node.name, 'patroniglue') ?? NaN;
  const postmaster = (): number => {
    return Number(readFileSync(join(cluster.dir, primary.name, 'data/postmaster.pid'), 'utf8').split('\n')[0]);
  };
  const toggleApi = (): void => {
    primary.toggleApi();
    isFrozen = !isFrozen;
  };
  /** 503 until the end, and the last 200 no later than a time to live after `sinceMs`. */
  const endsAfter = async (sinceMs: number): Promise<number> => {
    await eventually('/primary is 503', 2 * TTL_MS, async () => (await service.get('/primary')).status === 503);
    const lastedMs = last200Ms(primary) - sinceMs;
    assert.ok(lastedMs <= TTL_MS, `200 for ${seconds(lastedMs)}`); // of any evidence from before
    return lastedMs;
  };

  beforeEach(async () => {
    await cluster.healthy(60_000);
    primary = await cluster.primary();
    other = await cluster.replica();
    service = serviceOf(primary);
    await Promise.all(services.map(untilWitnessAgrees));
    await eventually('the patroniglue of the primary says 200', 10_000, says200);
    watch = watchLeaders(placesOf(cluster, services), EVERY_MS);
    toggleApi();
    await eventually('the witness answers', 20_000, async () => {
      const reply = await service.get('/primary');
      return reply.kind === 'reply' && (reply.headers['cache-status'] ?? '').includes('detail=witness');
    });
  });
  afterEach(async () => {
    await watch.stop();
    if (isFrozen) toggleApi();
  });

  const scenario = (title: string, body: (diagnostic: (text: string) => void) => Promise<void>): void => {
    it(title, async (t) => {
      try {
        await body((text) => {
          t.diagnostic(text);
        });
      } catch (error) {
        const logs = [
          ...cluster.nodes.map((node) => [node.name, node.log()] as const),
          ...services.map((one, index) => [`patroniglue at node${index + 1}`, one.output()] as const),
        ].map(([name, log]) => `--- ${name}\n${log.trimEnd().split('\n').slice(-25).join('\n')}`);
        throw new Error([(error as Error).message, ...logs].join('\n'), { cause: error });
      }
    });
  };
  const followers = async (): Promise<readonly EtcdMember[]> => {
    const leader = await cluster.etcd.leader();
    return cluster.etcd.members.filter((member) => member !== leader);
  };
  const neverTwo = (): void => {
    assert.ok(!(first200Ms(other) <= last200Ms(primary)), 'two patroniglues say 200');
  };

  scenario('suffices when one of three etcds is frozen', async () => {
    const [follower] = await followers();
    assert.ok(follower);
    follower.freeze();
    try {
      await always('/primary is not 503', LONGER_MS, async () => (await service.get('/primary')).status !== 503);
      assert.ok(await says200());
    } finally {
      follower.thaw();
    }
    neverTwo();
  });

  for (const [how, lose, bring] of [
    ['frozen', freeze, thaw],
    ['killed', (one: EtcdMember): Promise<unknown> => one.kill(), (one: EtcdMember): Promise<void> => one.restart()],
  ] as const) {
    scenario(`suffices again when etcd has a new leader, the old one being ${how}`, async (diagnostic) => {
      const leader = await cluster.etcd.leader();
      const sinceMs = nowMs();
      await lose(leader);
      try {
        await sleep(LONGER_MS); // the passing of time is what is tested
        await eventually('/primary is 200', 20_000, says200);
        const others = watch.said.filter(
          ({ node, by, sentMs, status }) =>
            node === primary.name && by === 'patroniglue' && sentMs >= sinceMs && status !== 200,
        );
        diagnostic(`${others.length} checks of one every ${EVERY_MS} ms were not 200`);
      } finally {
        await bring(leader);
      }
      neverTwo();
    });

    scenario(`ends with the time to live when two of three etcds are ${how}`, async (diagnostic) => {
      const lost = await followers();
      await Promise.all(lost.map(lose));
      try {
        diagnostic(`the last 200 came ${seconds(await endsAfter(nowMs()))} after that`);
        await always('/primary is not 200', 1500, async () => !(await says200()));
      } finally {
        await Promise.all(lost.map(bring));
      }
      neverTwo();
    });
  }

  scenario(
    'ends with the time to live when PostgreSQL hangs, and suffices again when it goes on',
    async (diagnostic) => {
      const pid = postmaster();
      const sinceMs = nowMs();
      process.kill(pid, 'SIGSTOP');
      try {
        diagnostic(`the last 200 came ${seconds(await endsAfter(sinceMs))} after that`);
      } finally {
        process.kill(pid, 'SIGCONT');
      }
      await eventually('/primary is 200 again', 20_000, says200);
      neverTwo();
    },
  );

  scenario('follows a switchover that etcd is asked for', async (diagnostic) => {
    await cluster.etcd.put(`${CLUSTER_KEY}/failover`, JSON.stringify({ leader: primary.name, member: other.name }));
    await eventually('the patroniglue of the new primary says 200', 40_000, () => !Number.isNaN(first200Ms(other)));
    await eventually('the one of the old primary says 503', 2 * TTL_MS, async () => !(await says200()));
    const besideMs = last200Ms(primary) - first200Ms(other);
    diagnostic(`two 200s for ${seconds(Math.max(0, besideMs))}`);
    assert.ok(besideMs <= TTL_MS, `two 200s for ${seconds(besideMs)}`);
  });

  for (const [how, signal] of [
    ['killed', 'SIGKILL'],
    ['stopped', 'SIGINT'], // "fast shutdown" (PostgreSQL's documentation, "Shutting Down the Server")
  ] as const) {
    scenario(`ends soon when PostgreSQL is ${how}`, async (diagnostic) => {
      toggleApi();
      await cluster.pause(); // or Patroni starts it again at once
      toggleApi();
      await eventually('the witness answers', 20_000, async () => {
        const reply = await service.get('/primary');
        return reply.kind === 'reply' && reply.status === 200 && reply.body.includes('"pause": true');
      });
      const sinceMs = nowMs();
      process.kill(postmaster(), signal);
      diagnostic(`the last 200 came ${seconds(await endsAfter(sinceMs))} after that`);
      await always('/primary is not 200', 1500, async () => !(await says200()));
      await primary.crash(); // from what is left, Patroni 3.0.2 does not always start again
      isFrozen = false;
      await cluster.etcd.remove(`${CLUSTER_KEY}/leader`); // nobody has to wait until it lapses
      await cluster.resume();
      await eventually('the other node is the primary', 60_000, async () => {
        return (await other.rest('/primary')).status === 200;
      });
      await primary.replace();
      neverTwo();
    });
  }
});
