import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { asyncScheduler, firstValueFrom, timeout } from 'rxjs';
import type { ResolveAll } from '../../src/upstream/addresses.js';
import { type EtcdOptions, MAX_LOOKUPS, createEtcd } from '../../src/upstream/etcd.js';
import { classifyFailure } from '../../src/upstream/failure.js';
import { MAX_BODY_BYTES } from '../../src/upstream/http-client.js';
import type { NodeKeys } from '../../src/witness/types.js';
import type { FailureReason, PollFailure } from '../../src/patroni/types.js';
import { type ScriptedEtcd, type ScriptedEtcdOptions, startScriptedEtcd } from '../support/upstreams/etcd.js';
import {
  type Behaviour,
  dripping,
  ending,
  flooding,
  pouring,
  resetting,
  silent,
  startUpstream,
} from '../support/upstreams/upstream.js';
import { eventually } from '../support/time/wait.js';

const KEY = '/service/main';
const LIFE = { remainingMs: 25_000, grantedMs: 30_000 };
const KEYS: NodeKeys = { leader: { value: 'node1', lease: LIFE }, member: { value: '{}', lease: LIFE }, config: '{}' };
const PASSWORD = 'a long secret';
const USER = { name: 'glue', password: PASSWORD };

const started: ScriptedEtcd[] = [];

afterEach(async () => {
  await Promise.all(started.splice(0).map((etcd) => etcd.close()));
});

/** A member with the keys of a cluster whose leader is node1. */
async function start(options: ScriptedEtcdOptions = {}): Promise<ScriptedEtcd> {
  const etcd = await startScriptedEtcd(options);
  started.push(etcd);
  etcd.put(`${KEY}/leader`, 'node1', '77');
  etcd.put(`${KEY}/members/node1`, '{}', '77');
  etcd.put(`${KEY}/config`, '{}');
  etcd.lease('77', 30, 25);
  return etcd;
}

async function closedPort(): Promise<number> {
  const upstream = await startUpstream();
  await upstream.close();
  return upstream.port;
}

function reading(ports: readonly number[], overrides: Partial<EtcdOptions> = {}) {
  const hosts = ports.map((port) => ({ host: '127.0.0.1', port }));
  const common = { scheme: 'http', tls: { insecure: false }, connectMs: 5000, scheduler: asyncScheduler } as const;
  return createEtcd({ ...common, hosts, ...overrides });
}

const asUser = { username: USER.name, password: PASSWORD };

async function failureOf(read: Promise<NodeKeys>): Promise<PollFailure> {
  return read.then(
    (keys) => assert.fail(`read ${JSON.stringify(keys)}`),
    (cause: unknown) => classifyFailure(cause),
  );
}

const pathsOf = ({ requests }: ScriptedEtcd): readonly string[] => requests.map(({ path }) => path.replace('/v3/', ''));

describe('createEtcd', () => {
  it('reads the keys of a node with the lives of their leases, by two requests', async () => {
    const etcd = await start();
    assert.deepEqual(await firstValueFrom(reading([etcd.port])(KEY, 'node1')), KEYS);
    assert.deepEqual(pathsOf(etcd), ['kv/txn', 'lease/timetolive']);
    assert.ok(etcd.requests.every(({ authorization }) => authorization === undefined));
    assert.equal(etcd.inFlight.most, 1);
    await etcd.idle();
  });

  it('asks for no lease where no key of the node has one', async () => {
    const etcd = await start();
    assert.deepEqual(await firstValueFrom(reading([etcd.port])(KEY, 'node2')), {
      leader: { value: 'node1' },
      config: '{}',
    });
    assert.deepEqual(pathsOf(etcd), ['kv/txn']);
  });

  it('asks for two leases one after the other, and knows none that is gone', async () => {
    const etcd = await start();
    etcd.put(`${KEY}/members/node1`, '{}', '88');
    assert.deepEqual(await firstValueFrom(reading([etcd.port])(KEY, 'node1')), {
      ...KEYS,
      member: { value: '{}' },
    });
    assert.deepEqual(
      etcd.requests.slice(1).map(({ body }) => body),
      ['{"ID":"88"}', '{"ID":"77"}'],
    );
    assert.equal(etcd.inFlight.most, 1);
  });

  it('reads anew with each subscription', async () => {
    const etcd = await start();
    const read$ = reading([etcd.port])(KEY, 'node1');
    assert.equal(etcd.requests.length, 0);
    await firstValueFrom(read$);
    etcd.lease('77', 30, 12);
    assert.equal((await firstValueFrom(read$)).leader?.lease?.remainingMs, 12_000);
  });

  it('asks only what reads', async () => {
    const etcd = await start();
    etcd.asksFor(USER);
    await firstValueFrom(reading([etcd.port], asUser)(KEY, 'node1'));
    const reads = ['auth/authenticate', 'kv/txn', 'lease/timetolive'];
    assert.deepEqual(
      pathsOf(etcd).filter((path) => !reads.includes(path)),
      [],
    );
  });
});

describe('The hosts of etcd', () => {
  it('are asked in their order, until one answers, and that one first the next time', async () => {
    const dead = await closedPort();
    const [second, third] = [await start(), await start()];
    const read$ = reading([dead, second.port, third.port])(KEY, 'node1');
    assert.deepEqual(await firstValueFrom(read$), KEYS);
    assert.deepEqual([second.requests.length, third.requests.length], [2, 0]);
    second.behave(resetting());
    assert.deepEqual(await firstValueFrom(read$), KEYS);
    assert.deepEqual([second.requests.length, third.requests.length], [3, 2], 'second, dead, third');
    second.behave(undefined);
    assert.deepEqual(await firstValueFrom(read$), KEYS);
    assert.deepEqual([second.requests.length, third.requests.length], [3, 4]);
  });

  it('do not wait for one that is silent, which is then given up', async () => {
    const [quiet, other] = [await start(), await start()];
    quiet.behave(silent);
    assert.deepEqual(await firstValueFrom(reading([quiet.port, other.port])(KEY, 'node1')), KEYS);
    await quiet.idle();
  });

  it('count as failed if they answer half of a read', async () => {
    const [half, other] = [await start(), await start()];
    half.lease('77', 30, 5);
    half.behave(resetting(), '/v3/lease/timetolive');
    const read$ = reading([half.port, other.port])(KEY, 'node1');
    assert.deepEqual(await firstValueFrom(read$), KEYS, 'all of it is from the other one');
    assert.deepEqual(pathsOf(half), ['kv/txn', 'lease/timetolive']);
  });

  it('are given up when the read is: no socket is left', async () => {
    const [one, other] = [await start(), await start()];
    for (const etcd of [one, other]) etcd.behave(silent);
    const subscription = reading([one.port, other.port])(KEY, 'node1').subscribe({
      error: () => assert.fail('failed by itself'),
    });
    await eventually('both are asked', 5000, () => one.requests.length === 1 && other.requests.length === 1);
    subscription.unsubscribe();
    await Promise.all([one.idle(), other.idle()]);
  });

  it('are all named in the error, each with its reason, in some hundred characters', async () => {
    const etcds = await Promise.all(Array.from({ length: 4 }, () => start()));
    const dead = await closedPort();
    for (const etcd of etcds) {
      etcd.behave(ending('HTTP/1.1 503 X\r\n\r\n{"message": "etcdserver: no leader", "code": 14}'));
    }
    const ports = [dead, ...etcds.map(({ port }) => port)];
    const { reason, message } = await failureOf(firstValueFrom(reading(ports)(KEY, 'node1')));
    assert.equal(reason, 'refused');
    const others = etcds.map(({ port }) => `127.0.0.1:${port}`).join(', ');
    assert.equal(
      message,
      `127.0.0.1:${dead}: connect ECONNREFUSED 127.0.0.1:${dead}; ${others}: etcd answered 503: etcdserver: no leader`,
    );
    const many = await failureOf(firstValueFrom(reading(Array.from({ length: 60 }, () => dead))(KEY, 'node1')));
    assert.ok(many.message.length <= 600);
  });

  for (const [reason, name, behaviour] of [
    ['reset', 'resets', resetting()],
    ['malformed', 'speaks another language', ending('SSH-2.0-OpenSSH_9.2\r\n\r\n')],
    ['malformed', 'redirects', ending('HTTP/1.1 302 X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n')],
    ['malformed', 'is another web server', ending('HTTP/1.1 404 Not Found\r\n\r\nNot Found')],
    ['malformed', 'answers no JSON', ending('HTTP/1.1 200 OK\r\n\r\n<html>')],
    ['malformed', 'answers JSON of something else', ending('HTTP/1.1 200 OK\r\n\r\n{"succeeded": true}')],
    ['other', 'has no quorum', ending('HTTP/1.1 503 X\r\n\r\n{"error": "etcdserver: request timed out", "code": 14}')],
    ['cut-off', 'dies inside its body', ending('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{')],
    ['too-large', 'sends more than a body may have', pouring(2 * MAX_BODY_BYTES)],
    ['too-large', 'sends endless 1xx', flooding('', 'HTTP/1.1 102 Processing\r\n\r\n')],
  ] as readonly (readonly [FailureReason, string, Behaviour])[]) {
    it(`fail as ${reason} if the only one ${name}`, async () => {
      const etcd = await start();
      etcd.behave(behaviour);
      const failure = await failureOf(firstValueFrom(reading([etcd.port])(KEY, 'node1')));
      assert.equal(failure.reason, reason, failure.message);
      assert.ok(failure.message.startsWith(`127.0.0.1:${etcd.port}: `));
      await etcd.idle();
    });
  }

  it('may drip: the deadline of the caller ends that', async () => {
    const etcd = await start();
    etcd.behave(dripping(10));
    await assert.rejects(firstValueFrom(reading([etcd.port])(KEY, 'node1').pipe(timeout(200))), /Timeout/);
    await etcd.idle();
  });
});

describe('The names of hosts of etcd', () => {
  const names = (count: number, port: number) =>
    Array.from({ length: count }, (_, i) => ({ host: `e${i}.test`, port }));

  it('occupy two look-ups at most while the name server is silent, and fail by their name', async () => {
    let lookups = 0;
    const resolve: ResolveAll = () => (lookups += 1);
    const read = reading([], { hosts: names(4, 2379), connectMs: 20, resolve });
    const { reason, message } = await failureOf(firstValueFrom(read(KEY, 'node1')));
    assert.equal(reason, 'name-lookup');
    assert.match(
      message,
      /^e0\.test:2379, e1\.test:2379, e2\.test:2379, e3\.test:2379: name not looked up within 0.02 s$/,
    );
    await failureOf(firstValueFrom(read(KEY, 'node1')));
    assert.equal(lookups, MAX_LOOKUPS);
  });

  it('may have several addresses: any that answers is taken, each time', async () => {
    const etcd = await start({ host: '127.0.0.3' });
    const found = ['127.0.0.2', '127.0.0.3'].map((address) => ({ address, family: 4 as const }));
    const resolve: ResolveAll = (_hostname, callback) => {
      callback(null, found);
    };
    const read = reading([], { hosts: names(1, etcd.port), resolve });
    assert.deepEqual(await firstValueFrom(read(KEY, 'node1')), KEYS);
    await etcd.close();
    const other = await start({ host: '127.0.0.2', port: etcd.port });
    started.splice(started.indexOf(etcd), 1);
    assert.deepEqual(await firstValueFrom(read(KEY, 'node1')), KEYS);
    assert.equal(other.requests.length, 2);
  });
});

describe('A user of etcd', () => {
  it('gets a token once, which is used for all requests at all hosts', async () => {
    const [one, other] = [await start(), await start()];
    one.asksFor(USER);
    const read$ = reading([one.port, other.port], asUser)(KEY, 'node1');
    await firstValueFrom(read$);
    await firstValueFrom(read$);
    const twice = ['kv/txn', 'lease/timetolive', 'kv/txn', 'lease/timetolive'];
    assert.deepEqual(pathsOf(one), ['auth/authenticate', ...twice]);
    assert.deepEqual(new Set(one.requests.slice(1).map(({ authorization }) => authorization)), new Set(['token.1']));
    one.behave(resetting());
    await failureOf(firstValueFrom(reading([one.port], asUser)(KEY, 'node1')));
    await firstValueFrom(read$);
    assert.equal(other.requests[0]?.authorization, 'token.1');
  });

  it('authenticates once more when etcd no longer knows the token', async () => {
    const etcd = await start();
    etcd.asksFor(USER);
    const read$ = reading([etcd.port], asUser)(KEY, 'node1');
    await firstValueFrom(read$);
    etcd.asksFor(USER); // as after a restart
    assert.deepEqual(await firstValueFrom(read$), KEYS);
    assert.deepEqual(pathsOf(etcd).slice(3), ['kv/txn', 'auth/authenticate', 'kv/txn', 'lease/timetolive']);
    assert.equal(etcd.inFlight.most, 1);
  });

  it('may be configured before etcd asks for one, and when it no longer does', async () => {
    const etcd = await start();
    const read$ = reading([etcd.port], asUser)(KEY, 'node1');
    assert.deepEqual(await firstValueFrom(read$), KEYS);
    assert.deepEqual(await firstValueFrom(read$), KEYS);
    assert.equal(pathsOf(etcd).filter((path) => path === 'auth/authenticate').length, 1);
    etcd.asksFor(USER);
    assert.deepEqual(await firstValueFrom(read$), KEYS);
    assert.equal(etcd.requests.at(-1)?.authorization, 'token.1');
    etcd.asksFor(undefined);
    assert.deepEqual(await firstValueFrom(read$), KEYS);
    assert.equal(etcd.requests.at(-1)?.authorization, undefined);
  });

  it('with a wrong password is told so, without the password', async () => {
    const etcd = await start();
    etcd.asksFor({ ...USER, password: 'another' });
    const failure = await failureOf(firstValueFrom(reading([etcd.port], asUser)(KEY, 'node1')));
    assert.deepEqual(failure, {
      reason: 'refused-access',
      message: `127.0.0.1:${etcd.port}: etcd refuses the user glue: wrong name or password`,
    });
  });

  it('who may not read the keys is told what to grant', async () => {
    const etcd = await start();
    etcd.asksFor({ ...USER, mayRead: false });
    const failure = await failureOf(firstValueFrom(reading([await closedPort(), etcd.port], asUser)(KEY, 'node1')));
    assert.equal(failure.reason, 'refused-access', 'what only a person can mend');
    assert.match(
      failure.message,
      /etcd: the user glue may not read \/service\/main\/: give it a role with READ on this prefix$/,
    );
  });

  it('is asked for in words if none is configured', async () => {
    const etcd = await start();
    etcd.asksFor(USER);
    const failure = await failureOf(firstValueFrom(reading([etcd.port])(KEY, 'node1')));
    assert.equal(failure.reason, 'refused-access');
    assert.match(failure.message, /asks for a user and a password, and none is configured$/);
    assert.equal(etcd.requests.length, 1);
  });

  it('is not asked for ever if etcd refuses each token', async () => {
    const etcd = await start();
    etcd.asksFor(USER);
    const stale: Behaviour = (socket) => {
      const isAuthentication = etcd.requests.at(-1)?.path.endsWith('authenticate');
      const answer = isAuthentication
        ? '200 X\r\n\r\n{"token": "t"}'
        : '401 X\r\n\r\n{"message": "etcdserver: x", "code": 16}';
      socket.end(`HTTP/1.1 ${answer}`);
    };
    etcd.behave(stale);
    const failure = await failureOf(firstValueFrom(reading([etcd.port], asUser)(KEY, 'node1')));
    assert.deepEqual(pathsOf(etcd), ['auth/authenticate', 'kv/txn', 'auth/authenticate', 'kv/txn']);
    assert.match(failure.message, /etcd refuses the token of the user glue$/);
  });

  for (const [what, failsAt] of [
    ['its password', 'auth/authenticate'],
    ['its token', 'kv/txn'],
  ] as const) {
    it(`never sees ${what} in a message, even if etcd sends it back`, async () => {
      const etcd = await start();
      const echo: Behaviour = (socket) => {
        const { path = '', authorization = '' } = etcd.requests.at(-1) ?? {};
        const message = `no ${'x'.repeat(140)} ${PASSWORD} ${authorization}`;
        if (path.endsWith(failsAt)) socket.end(`HTTP/1.1 500 X\r\n\r\n${JSON.stringify({ message, code: 13 })}`);
        else socket.end('HTTP/1.1 200 X\r\n\r\n{"token": "the-token"}');
      };
      etcd.behave(echo);
      const failure = await failureOf(firstValueFrom(reading([etcd.port], asUser)(KEY, 'node1')));
      assert.match(failure.message, /etcd answered 500: no x{140}/);
      assert.doesNotMatch(failure.message, /long|secret|the-token/);
    });
  }
});
