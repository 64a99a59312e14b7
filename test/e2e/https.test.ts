import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createCertificates, type Certificates } from '../support/certificates.js';
import { startDeployment, type Deployment } from '../support/cluster/deployment.js';
import { type HAProxyOptions, startHAProxy } from '../support/cluster/haproxy.js';
import { ask } from '../support/clients/http-get.js';
import { skipReason } from '../support/processes/programs.js';

describe(
  'HTTPS to Patroni, and from HAProxy: both sides want a client certificate',
  { skip: await skipReason() },
  () => {
    let dir: string;
    let certificates: Certificates;
    let deployment: Deployment;

    before(async () => {
      dir = await mkdtemp(join(tmpdir(), 'pglue-ca-'));
      certificates = await createCertificates(dir);
      const { ca, server, client } = certificates;
      const clientFile = join(dir, 'haproxy.pem');
      await writeFile(
        clientFile,
        (await Promise.all([client.cert, client.key].map((file) => readFile(file)))).join('\n'),
      );
      const clientTls = { caFile: ca.cert, certFile: client.cert, keyFile: client.key };
      deployment = await startDeployment({
        cluster: {
          tls: { ...clientTls, serverCertFile: server.cert, serverKeyFile: server.key, verifyClient: 'required' },
        },
        config: {
          frontend: { certfile: server.cert, keyfile: server.key, cafile: ca.cert, 'verify-client': 'required' },
          backend: { scheme: 'https', cafile: ca.cert, certfile: client.cert, keyfile: client.key },
          cache: { ttl: 3, interval: 0.25 },
        },
        serviceTls: clientTls,
        haproxy: { caFile: ca.cert, clientFile },
      });
    });
    after(async () => {
      try {
        await deployment.close();
      } finally {
        await rm(dir, { recursive: true });
      }
    });

    const servers = (): HAProxyOptions['servers'] =>
      deployment.cluster.nodes.map(({ name, pgPort }, index) => ({
        name,
        port: pgPort,
        checkPort: deployment.services[index]?.port ?? 0,
      }));

    it('has the primary and the replica up, checked over TLS on both sides', async () => {
      const { cluster, haproxy, services } = deployment;
      const up = await deployment.settled();
      const states = await haproxy.serverStates();
      assert.deepEqual(
        up.map((name) => states[name]?.check),
        ['L7OK', 'L7OK'],
      );
      const plain = await ask(services[0]?.port ?? 0, '/primary');
      assert.notEqual(plain.status, 200, 'plain HTTP gets no answer for the route');
      const stranger = await ask(cluster.nodes[0]?.restPort ?? 0, '/primary', {
        tls: { caFile: certificates.ca.cert },
      });
      assert.equal(stranger.kind, 'failure', 'Patroni refuses who has no client certificate');
    });

    it('is not believed by an HAProxy that trusts another CA', async () => {
      const distrustful = await startHAProxy({ servers: servers(), caFile: certificates.untrusted.cert });
      try {
        await distrustful.untilUp([]);
        const states = Object.values(await distrustful.serverStates());
        assert.deepEqual([...new Set(states.map(({ check }) => check))], ['L6RSP']);
      } finally {
        await distrustful.close();
      }
    });

    it('is refused to an HAProxy without a certificate: it has all servers DOWN, and the log says why', async () => {
      const { services } = deployment;
      const stranger = await startHAProxy({ servers: servers(), caFile: certificates.ca.cert });
      try {
        await stranger.untilUp([]);
        const states = Object.values(await stranger.serverStates());
        assert.ok(!states.some(({ code }) => code === '200'), JSON.stringify(states));
      } finally {
        await stranger.close();
      }
      assert.match(services[0]?.output() ?? '', /127\.0\.0\.1 showed no certificate that frontend\.cafile has signed/);
    });

    it('moves HAProxy to the new primary after a switchover', async () => {
      const { cluster, haproxy } = deployment;
      await deployment.settled();
      const before = await cluster.primary();
      const now = await cluster.switchover();
      await haproxy.untilUp([`primary/${now.name}`, `replica/${before.name}`]);
    });
  },
);
