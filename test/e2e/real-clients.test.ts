import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, it } from 'node:test';
import { curl, curlEach } from '../support/clients/curl.js';
import { startDeployment, type Deployment } from '../support/cluster/deployment.js';
import type { Node } from '../support/cluster/patroni-node.js';
import { run } from '../support/processes/processes.js';
import { findProgram, skipReason } from '../support/processes/programs.js';
import { exchange, getRequest, keepAliveClient, type RawReply } from '../support/clients/raw-http.js';
import type { Service } from '../support/processes/service.js';
import { eventually } from '../support/time/wait.js';

const cache = { ttl: 3, interval: 0.25, 'slow-ttl': 3, 'slow-interval': 0.25 };
const roles = ['primary', 'replica'] as const;
const env = { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8' };

describe(
  'Clients that change the port, and nothing else, get of patroniglue what Patroni says',
  {
    skip: await skipReason(['check_http', 'curl', 'patronictl']),
  },
  () => {
    let deployment: Deployment;

    before(async () => {
      deployment = await startDeployment({ config: { cache } });
      await deployment.settled();
    });
    after(() => deployment.close());

    /** A test that tells what every process logged when it fails. */
    const behaviour = (name: string, body: () => Promise<void>): void => {
      it(name, () => deployment.explained(body));
    };

    const at = async (role: (typeof roles)[number]): Promise<{ node: Node; service: Service }> => {
      const node = await deployment.cluster[role]();
      const service = deployment.services[deployment.cluster.nodes.indexOf(node)];
      assert.ok(service);
      return { node, service };
    };

    /** As the kubelet sends it (`pkg/probe/http` of Kubernetes, where keep-alive is off). */
    const probe = ({ port }: Service, path: string): Promise<RawReply> => {
      const headers = {
        Host: `127.0.0.1:${port}`,
        'User-Agent': 'kube-probe/1.30',
        Accept: '*/*',
        Connection: 'close',
      };
      return exchange(port, getRequest(path, headers));
    };

    for (const path of ['/readiness', '/liveness']) {
      behaviour(
        `a Kubernetes probe of ${path}, the first to ask for it, succeeds before its third failure`,
        async () => {
          const probes = deployment.services.map(async (service) => {
            const statuses: number[] = [];
            while (statuses.length < 3 && statuses.at(-1) !== 200) {
              if (statuses.length > 0) await sleep(1000); // periodSeconds: 1
              statuses.push((await probe(service, path)).status);
            }
            assert.equal(statuses.at(-1), 200, statuses.join(', '));
            assert.match((await probe(service, path)).head, /^Connection: close$/im);
          });
          await Promise.all(probes);
        },
      );
    }

    behaviour('a Kubernetes probe of /readiness fails while PostgreSQL is stopped, and Patroni says so', async () => {
      const { node, service } = await at('replica');
      try {
        await node.stopPostgres();
        const { head } = await eventually('the probe fails', 10_000, async () => {
          const reply = await probe(service, '/readiness');
          return reply.status === 503 ? reply : undefined;
        });
        assert.doesNotMatch(head, /problem\+json/, 'it is Patroni that says 503');
      } finally {
        await deployment.cluster.resume();
      }
      await eventually('the probe succeeds', 40_000, async () => (await probe(service, '/readiness')).status === 200);
      await deployment.settled();
    });

    behaviour('curl asks for several URLs over one connection, and gets the statuses of Patroni', async () => {
      const paths = ['/primary', '/replica', '/read-only', '/read-write'];
      for (const role of roles) {
        const { node, service } = await at(role);
        for (const flags of [[], ['-I'], ['-X', 'OPTIONS'], ['-0']]) {
          const { statuses } = await curlEach(node.restPort, paths, ...flags);
          const connects = flags.includes('-0') ? [1, 1, 1, 1] : [1, 0, 0, 0]; // HTTP/1.0 closes after each
          const through = await curlEach(service.port, paths, ...flags);
          assert.deepEqual(through, { statuses, connects }, `${role}: curl ${flags.join(' ')}`);
        }
      }
    });

    behaviour('curl mixes GET, HEAD and OPTIONS on one connection', async () => {
      const { service } = await at('primary');
      const one = ['-sS', '-o', '/dev/null', '-w', '%{http_code} %{num_connects}\n'];
      const transfers = [[], ['-I'], ['-X', 'OPTIONS'], []].map((flags) => [...one, ...flags]);
      const url = `http://127.0.0.1:${service.port}/primary`;
      const output = await curl(...transfers.flatMap((flags) => [...flags, url, '--next']).slice(0, -1));
      assert.deepEqual(output.trim().split('\n'), ['200 1', '200 0', '200 0', '200 0']);
    });

    behaviour('curl --retry heeds Retry-After, and gets a route that it was the first to ask for', async () => {
      const { service } = await at('primary');
      const url = `http://127.0.0.1:${service.port}/leader`;
      const heads = await curl('--fail', '--retry', '3', '-D', '-', '-o', '/dev/null', url);
      assert.match(heads, /^HTTP\/1\.1 503 .*^Retry-After: 1\r$.*^HTTP\/1\.1 200 /ms);
    });

    behaviour('a script that reads /patroni gets it byte for byte as Patroni writes it', async () => {
      for (const role of roles) {
        const { node, service } = await at(role);
        const get = (port: number): Promise<string> => curl('--fail', `http://127.0.0.1:${port}/patroni`);
        // It says when it last heard of etcd, which changes every second: both are alike between two such moments.
        const body = await eventually(`/patroni of the ${role} is the same by both ways`, 20_000, async () => {
          const [direct, through] = await Promise.all([get(node.restPort), get(service.port)]);
          assert.equal(through, direct);
          return through;
        });
        const parsed = JSON.parse(body) as { readonly role: string };
        assert.equal(parsed.role === 'replica', role === 'replica', parsed.role); // the other is `master` until Patroni 4
      }
    });

    behaviour(
      "Nagios' check_http finds the role in /patroni at the primary, and misses it at the replica",
      async () => {
        const [primary, replica] = await Promise.all(roles.map(at));
        assert.ok(primary && replica);
        const role = /"role": "(?:master|primary)"/.exec(
          await curl(`http://127.0.0.1:${primary.node.restPort}/patroni`),
        );
        assert.ok(role, 'until Patroni 4 it says master, and since then primary');
        const check = ({ port }: Service): Promise<string> => {
          const args = ['-I', '127.0.0.1', '-p', String(port), '-u', '/patroni', '-s', role[0], '-t', '5'];
          return run('check_http', findProgram('check_http'), args, { env });
        };
        assert.match(await check(primary.service), /^HTTP OK/);
        await assert.rejects(check(replica.service), /ended with 2: HTTP CRITICAL.*string .* not found/);
      },
    );

    behaviour('a Consul check passes at the primary, and is critical at the replica', async () => {
      const headers = {
        'User-Agent': 'Consul Health Check',
        Accept: 'text/plain, text/*, */*',
        'Accept-Encoding': 'gzip',
      };
      for (const role of roles) {
        const { node, service } = await at(role);
        const { status } = await node.rest('/primary');
        const { port } = service;
        // Consul closes after each check (`agent/checks/check.go`) ...
        const whole = { Host: `127.0.0.1:${port}`, ...headers, Connection: 'close' };
        const reply = await exchange(port, getRequest('/primary', whole));
        assert.equal(reply.status, status);
        assert.match(reply.body, /"role": "/, 'readable: Consul shows it to people');
        // ... and those who do not, check by check, get all replies on one connection.
        const client = keepAliveClient(port, headers);
        for (let checks = 0; checks < 5; checks += 1) assert.equal(await client.get('/primary'), status);
        client.close();
        assert.equal(client.connections, 1);
      }
    });

    behaviour('patronictl list shows the same with the services and without', async () => {
      const { cluster, services, haproxy } = deployment;
      const list = (): Promise<string> =>
        run('patronictl list', findProgram('patronictl'), ['-c', join(cluster.dir, 'node1.yml'), 'list'], { env });
      const beside = await eventually('patronictl list has a leader, and a replica without lag', 20_000, async () => {
        const table = await list();
        return /\| Leader +\| running/.test(table) && /\| Replica +\| (running|streaming) .* 0 \|/.test(table) && table;
      });
      await Promise.all([haproxy.close(), ...services.map((service) => service.close())]);
      assert.equal(await list(), beside);
    });
  },
);
