import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createCertificates, type Certificates } from '../support/certificates.js';
import { startDeployment, type Deployment } from '../support/cluster/deployment.js';
import { startHAProxy } from '../support/cluster/haproxy.js';
import { ask } from '../support/clients/http-get.js';
import { skipReason } from '../support/processes/programs.js';

describe('HTTPS to Patroni, which wants a client certificate, and from HAProxy', { skip: await skipReason() }, () => {
  let dir: string;
  let certificates: Certificates;
  let deployment: Deployment;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'pglue-ca-'));
    certificates = await createCertificates(dir);
    const { ca, server, client } = certificates;
    const clientTls = { caFile: ca.cert, certFile: client.cert, keyFile: client.key };
    deployment = await startDeployment({
      cluster: {
        tls: { ...clientTls, serverCertFile: server.cert, serverKeyFile: server.key, verifyClient: 'required' },
      },
      config: {
        frontend: { certfile: server.cert, keyfile: server.key },
        backend: { scheme: 'https', cafile: ca.cert, certfile: client.cert, keyfile: client.key },
        cache: { ttl: 3, interval: 0.25 },
      },
      serviceTls: { caFile: ca.cert },
      haproxy: { caFile: ca.cert },
    });
  });
  after(async () => {
    try {
      await deployment.close();
    } finally {
      await rm(dir, { recursive: true });
    }
  });

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
    const stranger = await ask(cluster.nodes[0]?.restPort ?? 0, '/primary', { tls: { caFile: certificates.ca.cert } });
    assert.equal(stranger.kind, 'failure', 'Patroni refuses who has no client certificate');
  });

  it('is not believed by an HAProxy that trusts another CA', async () => {
    const { cluster, services } = deployment;
    const servers = cluster.nodes.map(({ name, pgPort }, index) => ({
      name,
      port: pgPort,
      checkPort: services[index]?.port ?? 0,
    }));
    const distrustful = await startHAProxy({ servers, caFile: certificates.untrusted.cert });
    try {
      await distrustful.untilUp([]);
      const states = Object.values(await distrustful.serverStates());
      assert.deepEqual([...new Set(states.map(({ check }) => check))], ['L6RSP']);
    } finally {
      await distrustful.close();
    }
  });

  it('moves HAProxy to the new primary after a switchover', async () => {
    const { cluster, haproxy } = deployment;
    await deployment.settled();
    const before = await cluster.primary();
    const now = await cluster.switchover();
    await haproxy.untilUp([`primary/${now.name}`, `replica/${before.name}`]);
  });
});
