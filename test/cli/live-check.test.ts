import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Certificates, createCertificates, issueCertificate } from '../support/certificates.js';
import { startProcess } from '../support/processes/processes.js';
import { mainFile } from '../support/processes/main-file.js';
import { startScriptedEtcd } from '../support/upstreams/etcd.js';
import { type Upstream, answering, routeOf, silent, startUpstream } from '../support/upstreams/upstream.js';
import { within } from '../support/time/wait.js';
import { type Workspace, createWorkspace } from '../support/processes/workspace.js';

describe('--check --live', () => {
  let workspace: Workspace;
  let upstream: Upstream;
  before(async () => {
    workspace = await createWorkspace();
    upstream = await startUpstream();
  });
  after(async () => {
    await upstream.close();
    await workspace.close();
  });

  async function check(
    backend: object,
    other: object = {},
    name = 'config.yml',
  ): Promise<{ code: number | null; lines: string[] }> {
    const config = {
      frontend: { host: '0.0.0.0' },
      ...other,
      backend: { host: '127.0.0.1', port: upstream.port, timeout: 0.5, ...backend },
    };
    const file = await workspace.write(name, `${JSON.stringify(config)}\n`);
    const args = [mainFile, '--check', '--live', '--config', file];
    const child = await startProcess('patroniglue', process.execPath, args, { env: {} });
    const { code } = await within('it ends', 10_000, child.exit);
    const lines = child.output().replace(`ok: ${file}`, 'ok: FILE').trimEnd().split('\n');
    return { code, lines: lines.map((line) => line.replace(/ {2,}/g, '  ').replace(/\d+ ms/, 'n ms')) };
  }

  it('asks each canonical route once, and tells what each configured one would be answered', async () => {
    upstream.behave((socket, head) => {
      answering(routeOf(head) === '/primary' ? 200 : 503)(socket, head);
    });
    const before = upstream.requests.length;
    const { code, lines } = await check({ routes: ['/primary', '/master', '/replica?lag=10240kB'] });
    assert.deepEqual(lines, [
      'configuration ok: FILE',
      '',
      'ROUTE  ASKED AS  REPLY  TOOK  PATRONI SAYS',
      '/primary  /primary  200  n ms  primary, running',
      '/master  /primary  200  n ms  primary, running',
      '/replica?lag=10240kB  /replica?lag=10MB  503  n ms  primary, running',
    ]);
    assert.equal(code, 0, 'a 503 of Patroni is an answer');
    assert.equal(upstream.requests.length - before, 2);
  });

  it('ends with 1 where one is not answered, after one deadline for all', async () => {
    upstream.behave((socket, head) => {
      (routeOf(head) === '/primary' ? answering(200) : silent)(socket, head);
    });
    const { code, lines } = await check({ routes: ['/primary', '/replica', '/read-only'] });
    assert.deepEqual(lines.slice(3), [
      '/primary  /primary  200  n ms  primary, running',
      '/replica  /replica  503  n ms  poll timed out (no complete answer within 0.5 s)',
      '/read-only  /read-only  503  n ms  poll timed out (no complete answer within 0.5 s)',
      '',
      'to do: Patroni hangs: take the evidence, then decide by the runbook ' +
        '(/usr/share/doc/patroniglue/docs/runbook-patroni-frozen.md, or GET /-/runbook of patroniglue).',
    ]);
    assert.equal(code, 1);
  });

  it('ends with 1 where nobody listens', async () => {
    const gone = await startUpstream();
    await gone.close();
    const { code, lines } = await check({ port: gone.port, routes: ['/primary'] });
    assert.match(lines[3] ?? '', /^\/primary {2}\/primary {2}503 {2}n ms {2}connection refused \(/);
    assert.match(lines.at(-1) ?? '', /^to do: Start Patroni, if it does not run\. If it runs, .*restapi\.listen/);
    assert.equal(code, 1);
  });

  it("does not call a place ok that cannot be listened on, the agent's neither, and ends with 1", async () => {
    upstream.behave(answering(200));
    const here = { frontend: { host: '127.0.0.1', port: upstream.port + 1 } };
    for (const [other, problem] of [
      [
        { frontend: { host: '198.51.100.1' } },
        /^error: frontend\.host: cannot listen on 198\.51\.100\.1: it is no address of/,
      ],
      [
        { frontend: { host: 'nowhere.invalid' } },
        /^error: frontend\.host: cannot listen on nowhere\.invalid: (?:no such|the)/,
      ],
      [
        { agent: { port: 8010, host: '198.51.100.1' } },
        /^error: agent\.host: cannot listen on 198\.51\.100\.1: it is no addr/,
      ],
    ] as const) {
      const { code, lines } = await check({ routes: ['/primary'] }, other);
      assert.match(lines[0] ?? '', problem);
      assert.ok(!lines.some((line) => line.startsWith('configuration ok')));
      assert.match(lines.at(-1) ?? '', /^\/primary {2}\/primary {2}200 /, 'Patroni is asked all the same');
      assert.equal(code, 1);
    }
    const { code, lines } = await check({ routes: ['/primary'] }, here);
    assert.match(lines[0] ?? '', /^note: frontend\.host: 127\.0\.0\.1 is reachable only from this host/);
    assert.deepEqual([lines[1], code], ['configuration ok: FILE', 0]);
  });

  it('tries no port of the service itself, which may be running', async () => {
    const { code } = await check({ routes: ['/primary'] }, { frontend: { host: '0.0.0.0', port: upstream.port + 1 } });
    assert.equal(code, 0);
  });

  it('asks nothing where the configuration is wrong', async () => {
    const before = upstream.requests.length;
    const { code, lines } = await check({ rutes: [] });
    assert.equal(code, 2);
    assert.match(lines.join(), /unknown key "rutes"/);
    assert.equal(upstream.requests.length, before);
  });

  describe('over TLS', () => {
    let dir: string;
    let files: Certificates;
    before(async () => {
      dir = await mkdtemp(join(tmpdir(), 'patroniglue-live-'));
      files = await createCertificates(dir);
    });
    after(() => rm(dir, { recursive: true, force: true }));

    it('tells that a certificate is not trusted', async () => {
      const { cert, key } = files.serverUntrusted;
      const other = await startUpstream({ tls: { cert: await readFile(cert), key: await readFile(key) } });
      const backend = { port: other.port, scheme: 'https', cafile: files.ca.cert, routes: ['/primary'] };
      const { code, lines } = await check(backend);
      await other.close();
      assert.match(lines.at(-3) ?? '', /503 {2}n ms {2}TLS failed \(/);
      assert.equal(code, 1);
    });

    it('asks for the certificate of `backend.servername`', async () => {
      const extensions = ['subjectAltName=DNS:node1'];
      const { cert, key } = await issueCertificate(dir, 'node1', { extensions, by: files.ca });
      const other = await startUpstream({ tls: { cert: await readFile(cert), key: await readFile(key) } });
      const backend = { port: other.port, scheme: 'https', cafile: files.ca.cert, routes: ['/primary'] };
      const wrong = await check(backend);
      const right = await check({ ...backend, servername: 'node1' });
      await other.close();
      assert.match(
        wrong.lines.at(-3) ?? '',
        /TLS failed \(the certificate is not for 127\.0\.0\.1, but for DNS:node1\)$/,
      );
      assert.equal(right.code, 0, right.lines.join('\n'));
    });
  });

  it('reads the witness once, and says whether it agrees with Patroni', async () => {
    const etcd = await startScriptedEtcd();
    try {
      const member = {
        conn_url: 'postgres://127.0.0.1:5432/postgres',
        state: 'running',
        role: 'primary',
        version: '4.1.4',
      };
      etcd.lease('7', 30, 29);
      etcd.put('/service/main/leader', 'node1', '7');
      etcd.put('/service/main/members/node1', JSON.stringify(member), '7');
      etcd.put('/service/main/config', '{"ttl": 30}');
      etcd.put('/service/main/initialize', '8');
      const body = JSON.stringify({
        ...{ state: 'running', role: 'primary', database_system_identifier: '8' },
        patroni: { version: '4.1.4', scope: 'main', name: 'node1' },
      });
      upstream.behave(answering(200, body));
      const witness = { etcd3: { hosts: [`127.0.0.1:${etcd.port}`] }, key: '/service/main', postgres: 'none' };
      const agreeing = await check({ routes: ['/primary'] }, { witness });
      assert.deepEqual(agreeing.lines.slice(-2), [
        '',
        'witness: it agrees with Patroni: the leader key names node1, this node is node1 (n ms)',
      ]);
      assert.equal(agreeing.code, 0);
      const misnamed = await check({ routes: ['/primary'] }, { witness: { ...witness, name: 'node2' } });
      assert.match(
        misnamed.lines.at(-1) ?? '',
        /^witness: not usable: witness\.name is node2, but Patroni calls .* node1/,
      );
      assert.equal(misnamed.code, 1);
      upstream.behave(answering(503, body));
      etcd.remove('/service/main/members/node1');
      const named = await check({ routes: ['/primary'] }, { witness });
      assert.match(named.lines.at(-1) ?? '', /^witness: not usable: etcd has no member node1 .* its key has expired/);
      const elsewhere = await check({ routes: ['/primary'] }, { witness: { ...witness, key: '/service/other' } });
      assert.match(elsewhere.lines.at(-1) ?? '', /^witness: not usable: etcd has no cluster under witness\.key/);
      await etcd.close();
      const gone = await check({ routes: ['/primary'] }, { witness });
      assert.match(gone.lines.at(-1) ?? '', /^witness: not usable: it cannot be read: connection refused/);
      assert.equal(gone.code, 1);
    } finally {
      await etcd.close();
    }
  });
});
