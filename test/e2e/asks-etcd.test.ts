import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { afterEach, describe, it } from 'node:test';
import { asyncScheduler, firstValueFrom, timeout } from 'rxjs';
import { type EtcdOptions, createEtcd } from '../../src/upstream/etcd.js';
import { classifyFailure } from '../../src/upstream/failure.js';
import type { NodeKeys } from '../../src/witness/types.js';
import { createCertificates, issueCertificate } from '../support/certificates.js';
import { type Etcd, type EtcdStart, startEtcd } from '../support/cluster/etcd.js';
import { freePort } from '../support/processes/ports.js';
import { findPrograms, skipReason } from '../support/processes/programs.js';
import { type Workspace, createWorkspace } from '../support/processes/workspace.js';
import { eventually } from '../support/time/wait.js';
import { silent, startUpstream } from '../support/upstreams/upstream.js';

const KEY = '/service/main';
const TTL_S = 30;
const DEADLINE_MS = 10_000;
const READER = { name: 'glue', password: 'a "password"', roles: ['reader'] };
const NOBODY = { name: 'nobody', password: 'nothing' };

describe('A real etcd', { skip: await skipReason() }, () => {
  const workspaces: Workspace[] = [];
  afterEach(async () => {
    await Promise.all(workspaces.splice(0).map((workspace) => workspace.close()));
  });

  async function openWorkspace(): Promise<Workspace> {
    const workspace = await createWorkspace();
    workspaces.push(workspace);
    return workspace;
  }

  /** An etcd with the keys that Patroni writes for a leader `node1`, and those of another cluster. */
  async function start(options: EtcdStart = {}, workspace?: Workspace): Promise<Etcd> {
    const etcd = await startEtcd(workspace ?? (await openWorkspace()), findPrograms().etcd, options);
    const lease = await etcd.grant(TTL_S);
    await etcd.put(`${KEY}/leader`, 'node1', lease);
    await etcd.put(`${KEY}/members/node1`, '{"state": "running"}', lease);
    await etcd.put(`${KEY}/config`, '{"ttl": 30}');
    await etcd.put('/service/main2/config', '{}');
    return etcd;
  }

  const reading = (ports: readonly number[], overrides: Partial<EtcdOptions> = {}) => {
    const hosts = ports.map((port) => ({ host: '127.0.0.1', port }));
    const common = { scheme: 'http', tls: { insecure: false }, connectMs: 2000, scheduler: asyncScheduler } as const;
    const read$ = createEtcd({ ...common, hosts, ...overrides })(KEY, 'node1');
    return (deadlineMs = DEADLINE_MS): Promise<NodeKeys> => firstValueFrom(read$.pipe(timeout(deadlineMs)));
  };
  const portsOf = ({ members }: Etcd): readonly number[] => members.map(({ port }) => port);
  const asUser = ({ name, password } = READER) => ({ username: name, password });
  const failureOf = (read: Promise<NodeKeys>) =>
    read.then(
      (keys) => assert.fail(`read ${JSON.stringify(keys)}`),
      (cause: unknown) => classifyFailure(cause),
    );

  function assertLeads({ leader, member, config }: NodeKeys): void {
    assert.deepEqual([leader?.value, member?.value, config], ['node1', '{"state": "running"}', '{"ttl": 30}']);
    for (const lease of [leader?.lease, member?.lease]) {
      assert.equal(lease?.grantedMs, TTL_S * 1000);
      assert.ok(lease.remainingMs > 0 && lease.remainingMs <= lease.grantedMs);
    }
  }

  it('gives the keys and the lives of their leases, until these are gone', async () => {
    const etcd = await start();
    const read = reading(portsOf(etcd));
    assertLeads(await read());
    const short = await etcd.grant(1);
    await etcd.put(`${KEY}/leader`, 'node1', short);
    const lives = new Set<number | undefined>();
    await eventually('the leader key lapses', 10_000, async () => {
      const { leader } = await read();
      lives.add(leader?.lease?.remainingMs);
      return leader === undefined;
    });
    assert.ok(lives.has(0), `no \`TTL\` is 0: ${[...lives].join()}`);
    assert.ok((await read()).member?.lease);
  });

  it('is read while one host is dead and another one silent', async () => {
    const etcd = await start();
    const quiet = await startUpstream({ onConnection: silent });
    try {
      const ports = [await freePort(), quiet.port, ...portsOf(etcd)];
      assertLeads(await reading(ports)());
    } finally {
      await quiet.close();
    }
  });

  it('of three members is read while one is frozen, and not any more without a quorum', async () => {
    const etcd = await start({ members: 3 });
    const [one, two, three] = etcd.members;
    const read = reading(portsOf(etcd));
    assertLeads(await read());
    one?.running().signal('SIGSTOP'); // perhaps the leader: then the others need a second or two to elect one
    await eventually('the others answer', 15_000, async () => (await read(3000)).leader?.value === 'node1');
    two?.running().signal('SIGSTOP');
    await failureOf(read(2000));
    assert.ok(three?.running().alive());
    two?.running().signal('SIGCONT');
    await eventually('two of three answer again', 15_000, async () => (await read(3000)).leader?.value === 'node1');
  });

  it('lets a user read whose role has the prefix alone, with the life of the lease, and again after its restart', async () => {
    const etcd = await start();
    await etcd.protect(`${KEY}/`, [READER]);
    const read = reading(portsOf(etcd), asUser());
    assertLeads(await read());
    const [member] = etcd.members;
    await member?.running().stop();
    await failureOf(read());
    await member?.restart(); // it has forgotten all tokens
    assertLeads(await read());
  });

  it('switches authentication on and off while it is read', async () => {
    const etcd = await start();
    const read = reading(portsOf(etcd), asUser());
    assertLeads(await read());
    await etcd.protect(`${KEY}/`, [READER]);
    assertLeads(await read());
    const { token } = await etcd.ask('/v3/auth/authenticate', { name: 'root', password: 'root' });
    await etcd.ask('/v3/auth/disable', {}, String(token));
    assertLeads(await read());
  });

  it('refuses in words: a wrong password, a user without a role, nobody', async () => {
    const etcd = await start();
    await etcd.protect(`${KEY}/`, [READER, NOBODY]);
    const [port = 0] = portsOf(etcd);
    const refused = async (overrides: Partial<EtcdOptions>, words: string): Promise<void> => {
      const failure = await failureOf(reading([port], overrides)());
      assert.deepEqual(failure, { reason: 'refused-access', message: `127.0.0.1:${port}: ${words}` });
    };
    await refused(asUser({ ...READER, password: 'x' }), 'etcd refuses the user glue: wrong name or password');
    await refused(
      asUser({ ...NOBODY, roles: [] }),
      'etcd: the user nobody may not read /service/main/: give it a role with READ on this prefix',
    );
    await refused({}, 'etcd asks for a user and a password, and none is configured');
  });

  it('is read over TLS with a client certificate, and not without, nor by another CA, nor by plain HTTP', async () => {
    const workspace = await openWorkspace();
    const dir = await workspace.mkdir('certificates');
    const files = await createCertificates(dir);
    // etcd's gateway shows the server's certificate to etcd itself: so it must be fit for a client, too
    const server = await issueCertificate(dir, 'etcd', {
      extensions: ['subjectAltName=IP:127.0.0.1', 'extendedKeyUsage=serverAuth,clientAuth'],
      by: files.ca,
    });
    const etcd = await start({ tls: { ca: files.ca.cert, server, client: files.client } }, workspace);
    const pem = (file: string): string => readFileSync(file, 'utf8');
    const own = { cert: pem(files.client.cert), key: pem(files.client.key) };
    const withTls = (tls: Partial<EtcdOptions['tls']>) =>
      reading(portsOf(etcd), { scheme: 'https', tls: { insecure: false, ...tls } });
    assertLeads(await withTls({ ca: pem(files.ca.cert), ...own })());
    for (const tls of [{ ca: pem(files.ca.cert) }, { ca: pem(files.untrusted.cert), ...own }]) {
      const failure = await failureOf(withTls(tls)());
      assert.equal(failure.reason, 'tls', failure.message);
    }
    const failure = await failureOf(reading(portsOf(etcd))());
    assert.ok(['reset', 'malformed'].includes(failure.reason), failure.message); // by the version of etcd
  });
});
