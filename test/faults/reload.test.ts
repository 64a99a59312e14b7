import assert from 'node:assert/strict';
import { Agent, get as httpsGet } from 'node:https';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { type TLSSocket, connect as connectTls } from 'node:tls';
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { stringify } from 'yaml';
import { type Certificates, createCertificates } from '../support/certificates.js';
import { type Sample, outcomeOf, startSteadyChecks } from '../support/clients/checks.js';
import type { Worker } from '../support/processes/child.js';
import { ask } from '../support/clients/http-get.js';
import { nowMs } from '../support/time/monotonic.js';
import { freePort } from '../support/processes/ports.js';
import { type ConfigObject, type Service, startService } from '../support/processes/service.js';
import { type Upstream, answering, silent, startUpstream } from '../support/upstreams/upstream.js';
import { eventually } from '../support/time/wait.js';

const CHECKS_A_SECOND = 500;
const RELOADS = 50;
const CACHE = { ttl: 2, interval: 0.25 };

describe('SIGHUP', () => {
  let upstream: Upstream;
  let service: Service;
  let config: ConfigObject;
  let port: number;
  let checks: Worker<readonly Sample[]> | undefined;
  let reloads = 0;

  before(async () => {
    upstream = await startUpstream();
  });
  after(() => upstream.close());
  beforeEach(async () => {
    port = await freePort();
    reloads = 0;
    upstream.behave(answering(200));
  });
  afterEach(async () => {
    await checks?.close();
    checks = undefined;
    await service.close();
  });

  async function start(frontend: Record<string, unknown> = {}, tls?: { caFile: string }): Promise<void> {
    config = {
      frontend: { host: '127.0.0.1', port, ...frontend },
      backend: { host: '127.0.0.1', port: upstream.port },
      cache: CACHE,
    };
    service = await startService({ config, flags: [], ...(tls && { tls }) });
    await eventually('ready', 10_000, async () => (await service.get('/-/ready')).status === 200);
  }

  const count = (pattern: RegExp): number => (service.output().match(pattern) ?? []).length;
  const signal = async (label: string): Promise<void> => {
    service.signal('SIGHUP');
    reloads += 1;
    await eventually(label, 10_000, () => count(/(?:reloaded; |not reloaded, .*)/g) >= reloads, 5);
  };

  /** Writes other sections over those of the start, and waits for what becomes of them. */
  async function reload(changed: ConfigObject): Promise<void> {
    const sections = new Set([...Object.keys(config), ...Object.keys(changed)]);
    const next = Object.fromEntries([...sections].map((name) => [name, { ...config[name], ...changed[name] }]));
    await writeFile(service.configFile, stringify(next));
    await signal('it has been reloaded');
  }

  const isListening = (at: number): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = connect(at, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => {
        resolve(false);
      });
    });

  it(`loses no check of ${CHECKS_A_SECOND} a second over ${RELOADS} reloads of all that needs no other port`, async () => {
    await start();
    const routes = ['/primary', '/replica', '/health'];
    await eventually('/health is learned', 5000, async () => (await service.get('/health')).status === 200);
    checks = await startSteadyChecks({ ports: [port], routes, perSecond: CHECKS_A_SECOND });
    for (let turn = 0; turn < RELOADS; turn += 1) {
      await reload({
        frontend: { logformat: turn % 2 ? '%U' : '%a %U %s' },
        backend: { routes: turn % 3 ? ['/primary', '/replica'] : ['/health', '/primary'], timeout: 0.5 + turn / 100 },
        cache: { ttl: 2 + (turn % 5), interval: 0.25 + (turn % 3) / 20, learn: 4 + (turn % 4) },
        log: { format: turn % 7 ? 'text' : 'json' },
      });
    }
    const samples = await checks.end();
    const others = samples.filter((sample) => outcomeOf(sample) !== 200);
    assert.deepEqual(others.slice(0, 5), [], `${others.length} of ${samples.length}`);
    assert.equal(count(/reloaded; changed:/g), RELOADS);
  });

  it('moves from port to port: where it has told to listen, every check is answered', async () => {
    await start();
    const ports = [await freePort(), port];
    checks = await startSteadyChecks({ ports: [port, ...ports.slice(0, 1)], routes: ['/primary'], perSecond: 250 });
    const stays: { readonly port: number; readonly fromMs: number; readonly toMs: number }[] = [];
    for (let turn = 0; turn < 10; turn += 1) {
      const movedTo = ports[turn % 2] ?? 0;
      await reload({ frontend: { port: movedTo } });
      const fromMs = nowMs();
      await sleep(100); // some checks
      stays.push({ port: movedTo, fromMs, toMs: nowMs() });
    }
    const samples = await checks.end();
    const within = stays.flatMap((stay) =>
      samples.filter(({ port: at, sentMs, endMs }) => at === stay.port && sentMs > stay.fromMs && endMs < stay.toMs),
    );
    assert.ok(within.length > stays.length, 'checks were made');
    assert.deepEqual(within.filter((sample) => outcomeOf(sample) !== 200).slice(0, 3), [], `of ${within.length}`);
  });

  it('takes another address of the same port, and says so', async () => {
    await start();
    await reload({ frontend: { host: '0.0.0.0' } });
    assert.equal((await ask(port, '/primary')).status, 200);
    assert.match(service.output(), /is listening on http:\/\/0\.0\.0\.0:/);
    await reload({});
    assert.equal((await ask(port, '/primary')).status, 200);
  });

  it('refuses a bad file whole, with every problem, and stays as it was', async () => {
    await start();
    await writeFile(service.configFile, 'frontend: {port: no}\ncache: {tttl: 4}\n');
    service.signal('SIGHUP');
    await eventually('both problems are told', 5000, () => count(/warn: not reloaded, the former/g) === 2);
    assert.match(service.output(), /not reloaded, the former configuration stays in force: .*:1:18: frontend\.port: /);
    assert.match(
      service.output(),
      /not reloaded, the former configuration stays in force: .*:2:9: cache: unknown key "tttl"/,
    );
    assert.equal((await service.get('/primary')).status, 200);
  });

  it('refuses a port that is taken, together with all else in the file', async () => {
    await start();
    const taken = await startUpstream();
    await reload({ frontend: { port: taken.port }, backend: { routes: ['/leader'] } });
    await taken.close();
    assert.match(service.output(), /not reloaded, .*cannot listen on 127\.0\.0\.1 port \d+: the port is taken/);
    assert.equal((await service.get('/-/ready')).status, 200);
    assert.doesNotMatch(service.output(), /\/leader/);
    await reload({ cache: { ttl: 3 } });
    assert.match(
      service.output(),
      /reloaded; changed: cache\.ttl, backend\.timeout|reloaded; changed: backend\.timeout, cache\.ttl/,
    );
  });

  it('stays where it is as a whole when one of the two cannot listen where it should', async () => {
    await start();
    const [agentPort, elsewhere] = [await freePort(), await freePort()];
    await reload({ agent: { port: agentPort } });
    const taken = await startUpstream();
    /** Which of the ports take connections. */
    const listening = (): Promise<boolean[]> => Promise.all([port, agentPort, elsewhere].map(isListening));
    try {
      for (const moved of [
        { frontend: { port: taken.port }, agent: { port: elsewhere } },
        { frontend: { port: elsewhere }, agent: { port: taken.port } },
        { frontend: { port: taken.port }, agent: {} },
      ]) {
        await reload(moved);
        assert.deepEqual(await listening(), [true, true, false], service.output());
        assert.equal((await service.get('/primary')).status, 200);
      }
    } finally {
      await taken.close();
    }
    assert.equal(count(/not reloaded, .*the port is taken/g), 3);
  });

  it('expects PROXY headers from the next connection on, and then no more', async () => {
    await start();
    const prologue = 'PROXY TCP4 10.0.0.5 10.0.0.11 56324 8009\r\n';
    // a refusal may be overtaken by a reset, since the client is still writing
    const answered = async () => ({
      without: (await ask(port, '/primary')).status === 200,
      withHeader: (await ask(port, '/primary', { prologue })).status === 200,
    });
    assert.deepEqual(await answered(), { without: true, withHeader: false });
    await reload({ frontend: { 'proxy-protocol': true } });
    assert.deepEqual(await answered(), { without: false, withHeader: true });
    await reload({});
    assert.deepEqual(await answered(), { without: true, withHeader: false });
    assert.equal(count(/reloaded; changed: frontend\.proxy-protocol/g), 2);
  });

  it('repeats nothing that another upstream said', async () => {
    await start();
    const other = await startUpstream();
    other.behave(silent);
    await reload({ backend: { port: other.port } });
    const reply = await service.get('/primary');
    assert.equal(reply.status, 503);
    assert.match(reply.body, /"state": "pending"/);
    other.behave(answering(200));
    await eventually('the new one has answered', 5000, async () => (await service.get('/primary')).status === 200);
    await other.close();
  });

  it('lets a shorter time to live hold for what is known already', async () => {
    await start();
    await reload({ cache: { ttl: 60 }, backend: { timeout: 0.2 } });
    upstream.behave(silent);
    await reload({ cache: { ttl: 0.4, interval: 0.3 }, backend: { timeout: 0.2 } });
    await eventually('503', 5000, async () => (await service.get('/primary')).status === 503);
  });

  it('changes nothing where nothing has changed', async () => {
    await start();
    await signal('it has been read');
    assert.match(service.output(), /reloaded; nothing has changed/);
  });

  describe('over HTTPS', () => {
    let dir: string;
    let files: Certificates;
    let certfile: string;
    let keyfile: string;
    before(async () => {
      dir = await mkdtemp(join(tmpdir(), 'patroniglue-reload-'));
      files = await createCertificates(dir);
      [certfile, keyfile] = [join(dir, 'live.pem'), join(dir, 'live.key')];
    });
    after(() => rm(dir, { recursive: true, force: true }));
    beforeEach(async () => {
      await use(files.server);
      await start({ certfile, keyfile }, { caFile: files.ca.cert });
    });

    async function use({ cert, key }: Certificates['server']): Promise<void> {
      await copyFile(cert, certfile);
      await copyFile(key, keyfile);
    }

    /** RSA or EC: the two certificates of the server differ in it. */
    async function keyTypeOffered(): Promise<string> {
      const socket: TLSSocket = connectTls({ port, host: '127.0.0.1', ca: readFileSync(files.ca.cert) });
      await once(socket, 'secureConnect');
      const { asn1Curve } = socket.getPeerCertificate();
      socket.destroy();
      return asn1Curve === undefined ? 'RSA' : 'EC';
    }

    it('gives new handshakes the new certificate, and lets open connections live on', async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: readFileSync(files.ca.cert) });
      const localPorts = new Set<number | undefined>();
      const get = (): Promise<number | undefined> =>
        new Promise((resolve, reject) => {
          const request = httpsGet({ port, host: '127.0.0.1', path: '/primary', agent }, (response) => {
            localPorts.add(response.socket.localPort);
            response.resume().once('end', () => {
              resolve(response.statusCode);
            });
          });
          request.once('error', reject);
        });
      assert.equal(await get(), 200);
      await use(files.serverRsa);
      assert.equal(await keyTypeOffered(), 'EC');
      await signal('it has been reloaded');
      assert.equal(await keyTypeOffered(), 'RSA');
      assert.match(service.output(), /reloaded; changed: frontend\.certfile, frontend\.keyfile/);
      assert.equal(await get(), 200);
      assert.equal(localPorts.size, 1, 'one connection');
      agent.destroy();
    });

    it('refuses a certificate whose key is still the old one', async () => {
      await copyFile(files.serverRsa.cert, certfile);
      await signal('it has been refused');
      assert.match(service.output(), /not reloaded, .*frontend\.keyfile/);
      assert.equal(await keyTypeOffered(), 'EC');
    });

    it('becomes HTTP on the same port, and HTTPS again', async () => {
      await writeFile(service.configFile, stringify({ ...config, frontend: { host: '127.0.0.1', port } }));
      await signal('HTTP');
      assert.equal((await ask(port, '/primary')).status, 200);
      await reload({});
      assert.equal((await service.get('/primary')).status, 200);
    });

    it('is not needed for certificate files: they are looked at twice a minute', async () => {
      await use(files.serverRsa);
      await eventually('the new certificate', 45_000, async () => (await keyTypeOffered()) === 'RSA', 500);
      assert.match(service.output(), /reloaded; changed: frontend\.certfile, frontend\.keyfile/);
    });
  });
});
