import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { type Socket, connect } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type Sample, outcomeOf, startSteadyChecks } from '../support/clients/checks.js';
import type { Worker } from '../support/processes/child.js';
import { keepAliveClient } from '../support/clients/raw-http.js';
import { type Service, startService } from '../support/processes/service.js';
import { type Upstream, startUpstream } from '../support/upstreams/upstream.js';
import { eventually, within } from '../support/time/wait.js';

/** More than Node needs at once to load the modules of the program, and less than what the clients would take. */
const LIMIT = 128;
const CLIENTS = 500;
const CACHE = { ttl: 2, interval: 0.2 };

const skip = spawnSync('prlimit', ['--version']).status !== 0 && 'no prlimit here (util-linux)';

describe('a service with few file descriptors', { skip }, () => {
  let upstream: Upstream;
  let service: Service;
  let checks: Worker<readonly Sample[]> | undefined;
  const clients = new Set<Socket>();
  beforeEach(async () => {
    upstream = await startUpstream();
    const config = { backend: { host: '127.0.0.1', port: upstream.port }, cache: CACHE };
    service = await startService({ config, flags: [], under: ['prlimit', `--nofile=${LIMIT}:${LIMIT}`] });
    await eventually('ready', 10_000, async () => (await service.get('/-/ready')).status === 200);
  });
  afterEach(async () => {
    leave();
    await checks?.close();
    await upstream.close();
    await service.close();
  });

  /** Connects, and says nothing. */
  async function crowd(): Promise<void> {
    const connected = Array.from({ length: CLIENTS }, async () => {
      const socket = connect(service.port, '127.0.0.1').on('error', () => undefined);
      clients.add(socket);
      socket.once('close', () => clients.delete(socket));
      await once(socket, 'connect').catch(() => undefined); // ended that soon
    });
    await within('all have connected', 10_000, Promise.all(connected));
    await eventually('most are ended', 10_000, () => clients.size < LIMIT);
  }

  function leave(): void {
    for (const socket of clients) socket.destroy();
  }

  const openFiles = (): number => readdirSync(`/proc/${service.pid}/fd`).length;
  const told = (pattern: RegExp): readonly string[] =>
    service
      .output()
      .split('\n')
      .filter((line) => pattern.test(line));

  it('keeps some for its polls, ends the oldest connections, says so once a crowd, and tells of its end', async () => {
    for (let round = 1; round <= 2; round += 1) {
      await crowd();
      // The crowd goes on to sit there: each check ends one of it, and is answered.
      checks = await startSteadyChecks({ ports: [service.port], routes: ['/primary'], perSecond: 50 });
      const polled = upstream.requests.length;
      await eventually('polls go on', 10_000, () => upstream.requests.length > polled + 15);
      assert.ok(openFiles() < LIMIT, `${openFiles()} open files`);
      const outcomes = (await checks.end()).map(outcomeOf);
      assert.deepEqual(new Set(outcomes), new Set([200]));
      assert.equal(told(/warn: too many connections/).length, round, service.output());
      leave();
      if (round === 1) await eventually('the end is told', 20_000, () => told(/no longer too many/).length === round);
    }
    const [crowded = ''] = told(/warn: too many/);
    assert.match(
      crowded,
      /: the limit of 128 open files \(.*\) allows \d+ at a time, so each new connection ends the oldest$/,
    );
    assert.deepEqual(told(/failing|error/), []);
  });

  it('has room for more connections after a reload that leaves it fewer polls, and for fewer again', async () => {
    const limit = async (): Promise<number> => {
      const reply = await service.get('/-/metrics');
      const body = reply.kind === 'reply' ? reply.body : '';
      return Number(/^patroniglue_open_connections_limit (\d+)$/m.exec(body)?.[1] ?? assert.fail(body));
    };
    const text = await readFile(service.configFile, 'utf8');
    const reload = async (learn: number, reloads: number): Promise<number> => {
      await writeFile(service.configFile, text.replace('cache:\n', `cache:\n  learn: ${learn}\n`));
      service.signal('SIGHUP');
      await eventually('it is reloaded', 10_000, () => told(/ reloaded; changed: cache\.learn/).length === reloads);
      return limit();
    };
    const before = await limit();
    assert.ok(before < LIMIT, String(before));
    assert.ok(before > 2, String(before)); // less on newer versions of Node, which have more files open themselves
    assert.deepEqual([await reload(6, 1), await reload(18, 2)], [before + 10, before - 2], 'the default is 16');
  });

  it('and with none left fails its polls for that reason, and has answers again as soon as there are some', async () => {
    const setLimit = (files: number): void => {
      execFileSync('prlimit', ['--pid', String(service.pid), `--nofile=${files}:${LIMIT}`]);
    };
    const client = keepAliveClient(service.port, { Host: 'h' }); // accepted already: it needs no file
    try {
      assert.equal(await client.get('/primary'), 200);
      setLimit(3);
      await eventually('its time has run out', 10_000, async () => (await client.get('/primary')) === 503);
      assert.match(
        told(/\/primary: polls are failing/)[0] ?? service.output(),
        /: out of file descriptors \(connect EMFILE 127\.0\.0\.1:\d+\)$/,
      );
      assert.equal(client.connections, 1);
      setLimit(LIMIT);
      await eventually('/primary is 200 again', 10_000, async () => (await service.get('/primary')).status === 200);
      await eventually('the end is told', 10_000, () => told(/\/primary: polls are answered again/).length === 1);
    } finally {
      client.close();
    }
  });
});
