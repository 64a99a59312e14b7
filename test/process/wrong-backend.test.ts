import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  type CertificateFiles,
  type Certificates,
  createCertificates,
  issueCertificate,
  withoutOpenssl,
} from '../support/certificates.js';
import { mainFile } from '../support/processes/main-file.js';
import { freePort } from '../support/processes/ports.js';
import { startProcess } from '../support/processes/processes.js';
import { startService } from '../support/processes/service.js';
import { type Workspace, createWorkspace } from '../support/processes/workspace.js';
import { eventually, within } from '../support/time/wait.js';
import { startScriptedEtcd } from '../support/upstreams/etcd.js';
import { type UpstreamOptions, answering, silent, startUpstream } from '../support/upstreams/upstream.js';

/** What the program does if `backend` is wrong, or Patroni's API fails. */
interface Wrong {
  readonly name: string;
  readonly upstream?: UpstreamOptions;
  /** What the upstream does; `gone`: it has stopped. */
  readonly behaves?: Parameters<Awaited<ReturnType<typeof startUpstream>>['behave']>[0] | 'gone';
  readonly backend?: object;
  /** What is found, and what to do. */
  readonly found: RegExp;
  readonly todo: RegExp;
}

const noPatroni = answering(404, '404 page not found\n', 'text/plain; charset=utf-8');

describe('a wrong backend', { skip: await withoutOpenssl() }, () => {
  let workspace: Workspace;
  let dir: string;
  let files: Certificates;
  before(async () => {
    workspace = await createWorkspace();
    dir = await mkdtemp(join(tmpdir(), 'patroniglue-backend-'));
    files = await createCertificates(dir);
  });
  after(async () => {
    await workspace.close();
    await rm(dir, { recursive: true, force: true });
  });

  const run = async (...args: readonly string[]): Promise<{ code: number | null; output: string }> => {
    const child = await startProcess('patroniglue', process.execPath, [mainFile, ...args], { env: {} });
    const { code } = await within('it ends', 15_000, child.exit);
    return { code, output: child.output() };
  };
  const serverWith = async ({ cert, key }: CertificateFiles, more: object = {}): Promise<UpstreamOptions> => ({
    tls: { cert: await readFile(cert), key: await readFile(key), ...more },
  });
  const https = (): object => ({ scheme: 'https', cafile: files.ca.cert });

  const table: readonly (readonly [string, () => Promise<Omit<Wrong, 'name'>> | Omit<Wrong, 'name'>])[] = [
    [
      'nobody listens',
      () => ({
        behaves: 'gone',
        found: /connection refused \(connect ECONNREFUSED/,
        todo: /^Start Patroni, if it does not run\. If it runs, .*restapi\.listen.*backend\.host and backend\.port/,
      }),
    ],
    [
      'Patroni hangs',
      () => ({
        behaves: silent,
        found: /poll timed out/,
        todo: /^Patroni hangs: .*\/usr\/share\/doc\/patroniglue\/docs\/runbook-patroni-frozen\.md, or GET \/-\/runbook/,
      }),
    ],
    [
      'there is no such name',
      () => ({
        backend: { host: 'nowhere.invalid' },
        found: /name look-up failed/,
        todo: /^Write an address as backend\.host, or mend the name server/,
      }),
    ],
    [
      'the scheme is https, and the port speaks HTTP',
      () => ({
        upstream: { onConnection: (socket) => socket.end('HTTP/1.0 400 Bad request version\r\n\r\n') },
        backend: https(),
        found: /TLS failed \((?:wrong version number|packet length too long)\)/,
        todo: /^That port speaks no TLS: set backend\.scheme to http/,
      }),
    ],
    [
      'the scheme is http, and the port speaks TLS',
      async () => ({
        upstream: await serverWith(files.server),
        found: /connection reset|answer malformed/,
        todo: /^If patroni\.yml has restapi\.certfile, set backend\.scheme to https/,
      }),
    ],
    [
      'the scheme is http, and a program in Go speaks TLS',
      () => ({
        behaves: answering(400, 'Client sent an HTTP request to an HTTPS server.\n', 'text/plain'),
        found: /does not answer as Patroni \(400 to \/primary, \/replica\)/,
        todo: /^The port expects TLS: set backend\.scheme to https\.$/,
      }),
    ],
    [
      "the CA is not that of Patroni's certificate",
      async () => ({
        upstream: await serverWith(files.serverUntrusted),
        backend: https(),
        found: /TLS failed \(/,
        todo: /^Write the CA that has signed Patroni's certificate as backend\.cafile/,
      }),
    ],
    [
      'the certificate has another name',
      async () => ({
        upstream: await serverWith(
          await issueCertificate(dir, 'node1', { extensions: ['subjectAltName=DNS:node1'], by: files.ca }),
        ),
        backend: https(),
        found: /TLS failed \(the certificate is not for 127\.0\.0\.1, but for DNS:node1\)/,
        todo: /^Set backend\.servername to a name that the certificate has\.$/,
      }),
    ],
    [
      'the certificate has expired',
      async () => ({
        upstream: await serverWith(
          await issueCertificate(dir, 'old', {
            extensions: ['subjectAltName=IP:127.0.0.1'],
            by: files.ca,
            from: new Date('2020-01-01'),
            to: new Date('2021-01-01'),
          }),
        ),
        backend: https(),
        found: /TLS failed \(certificate has expired\)/,
        todo: /^Renew Patroni's certificate/,
      }),
    ],
    [
      'Patroni wants a client certificate',
      async () => ({
        upstream: await serverWith(files.server, {
          requestCert: true,
          rejectUnauthorized: true,
          ca: await readFile(files.ca.cert),
        }),
        backend: https(),
        found: /TLS failed \(tlsv13 alert certificate required\)|connection reset/,
        todo: /^(?:Patroni wants a client certificate|If patroni\.yml has verify_client: required): write .*backend\.certfile/,
      }),
    ],
    [
      'another program listens there',
      () => ({
        behaves: noPatroni,
        found: /does not answer as Patroni \(404 to \/primary, \/replica/,
        todo: /^Write the host and the port of restapi\.listen .* a proxy answers\.$/,
      }),
    ],
  ];

  for (const [name, wrong] of table) {
    it(`is told by --check --live and by --doctor, with what to do, if ${name}`, async () => {
      const { upstream: options, behaves, backend, found, todo } = await wrong();
      const upstream = await startUpstream(options);
      if (behaves === 'gone') await upstream.close();
      else if (behaves) upstream.behave(behaves);
      const config = {
        frontend: { host: '127.0.0.1', port: await freePort() },
        backend: { host: '127.0.0.1', port: upstream.port, timeout: 0.5, routes: ['/primary', '/replica'], ...backend },
      };
      const file = await workspace.write('config.yml', JSON.stringify(config));
      const live = await run('--check', '--live', '--config', file);
      const doctor = await run('--doctor', '--json', '--config', file);
      if (behaves !== 'gone') await upstream.close();

      const lines = live.output.trimEnd().split('\n');
      assert.ok(
        lines.some((line) => found.test(line)),
        live.output,
      );
      const remedies = lines.filter((line) => line.startsWith('to do: '));
      assert.equal(remedies.length, 1, live.output);
      assert.match(remedies[0]?.slice('to do: '.length) ?? '', todo);
      assert.ok(
        lines.every((line) => !/^\s*(?:\)|:error)/.test(line)),
        `each row in one line:\n${live.output}`,
      );
      assert.equal(live.code, 1);

      const report = JSON.parse(doctor.output) as { findings: Record<string, string>[] };
      const finding = report.findings.find(({ check }) => check === 'patroni');
      assert.match(finding?.['found'] ?? '', found);
      assert.match(finding?.['todo'] ?? '', todo);
      assert.equal(finding?.['state'], 'CRITICAL');
      assert.equal(doctor.code, 2);
    });
  }

  it('that is another program gets one line in the log; checks get its status, and no witness agrees with it', async () => {
    const [upstream, etcd] = [await startUpstream(), await startScriptedEtcd()];
    upstream.behave(noPatroni);
    etcd.put('/service/main/initialize', '8');
    const service = await startService({
      config: {
        backend: { host: '127.0.0.1', port: upstream.port },
        cache: { ttl: 0.4, interval: 0.1 },
        witness: {
          etcd3: { hosts: [`127.0.0.1:${etcd.port}`] },
          key: '/service/main',
          name: 'node1',
          postgres: 'none',
        },
      },
    });
    try {
      await eventually('it is in the log', 10_000, () => service.output().includes('does not answer as Patroni'));
      const polls = upstream.requests.length;
      await eventually('some polls later', 10_000, () => upstream.requests.length >= polls + 30);
      const told = service
        .output()
        .split('\n')
        .filter((line) => line.includes('does not answer as Patroni'));
      assert.equal(told.length, 1, service.output());
      assert.match(
        told[0] ?? '',
        /warn: backend\.host: http:\/\/127\.0\.0\.1:\d+ does not answer as Patroni \(404 to /,
      );
      assert.doesNotMatch(service.output(), /the witness agrees/);
      const reply = await service.get('/primary');
      assert.deepEqual(
        [reply.kind === 'reply' && reply.status, reply.kind === 'reply' && reply.body],
        [404, '404 page not found\n'],
      );
      const doctor = await run('--doctor', '--json', '--config', service.configFile);
      const report = JSON.parse(doctor.output) as { findings: Record<string, string>[] };
      const finding = report.findings.find(({ check }) => check === 'patroni');
      assert.equal(finding?.['state'], 'CRITICAL', 'although the service is ready');
    } finally {
      await Promise.all([service.close(), upstream.close(), etcd.close()]);
    }
  });

  it('is not the only thing with a cause: a service that does not answer at localhost has one, too', async () => {
    const port = await freePort();
    const config = { frontend: { host: 'localhost', port }, backend: { host: '127.0.0.1', port: await freePort() } };
    const file = await workspace.write('config.yml', JSON.stringify(config));
    const { output } = await run('--doctor', '--config', file);
    assert.match(
      output,
      /^PATRONIGLUE CRITICAL - service: no patroniglue answers at localhost:\d+: connect ECONNREFUSED/,
    );
  });
});
