import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Socket, connect } from 'node:net';
import { after, before, beforeEach, describe, it } from 'node:test';
import { type Deployment, startDeployment } from '../support/cluster/deployment.js';
import { type ServerState, startHAProxy } from '../support/cluster/haproxy.js';
import type { Node } from '../support/cluster/patroni-node.js';
import { freePort } from '../support/processes/ports.js';
import { skipReason } from '../support/processes/programs.js';
import { startService } from '../support/processes/service.js';
import { always, eventually, within } from '../support/time/wait.js';

const cache = { ttl: 3, interval: 0.25 };

describe("HAProxy's agent checks of a Patroni cluster", { skip: await skipReason() }, () => {
  let deployment: Deployment;
  before(async () => {
    deployment = await startDeployment({
      config: { cache },
      cluster: { dynamic: { retry_timeout: 7 } },
      agents: true,
    });
  });
  after(() => deployment.close());
  beforeEach(async () => {
    await deployment.settled();
    await sides(await deployment.cluster.primary());
  });

  const behaviour = (name: string, body: () => Promise<void>): void => {
    it(name, () => deployment.explained(body));
  };
  const serviceOf = (node: Node) => {
    const service = deployment.services[deployment.cluster.nodes.indexOf(node)];
    assert.ok(service);
    return service;
  };
  const stateOf = async (server: string): Promise<ServerState> => {
    const state = (await deployment.haproxy.serverStates())[server];
    assert.ok(state, server);
    return state;
  };
  /** Resolves when HAProxy shows a server so: the word of its status, and what its agent said. */
  const shows = (server: string, status: string, says: RegExp, deadlineMs = 20_000): Promise<unknown> =>
    eventually(`${server} is ${status}`, deadlineMs, async () => {
      const state = await stateOf(server);
      if (state.status === status && says.test(state.agent.says)) return true;
      throw new Error(`${state.status}, ${state.agent.says}`);
    });
  /** Resolves when each server is up where it serves, and in maintenance on the other listener. */
  const sides = async (primary: Node): Promise<void> => {
    for (const node of deployment.cluster.nodes) {
      const [serves, rests] = node === primary ? ['primary', 'replica'] : ['replica', 'primary'];
      await shows(`${serves}/${node.name}`, 'UP', /^via agent : up$/);
      await shows(`${rests}/${node.name}`, 'MAINT', /^via agent : up$/);
    }
  };
  const openClient = async (port: number): Promise<Socket> => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined).resume();
    await within('connected', 5000, once(socket, 'connect'));
    return socket;
  };

  behaviour('show standbys in maintenance, and primary and replica up where they serve', async () => {
    const { cluster, haproxy } = deployment;
    const primary = await cluster.primary();
    await sides(primary);
    assert.equal(await cluster.sql(haproxy.primaryPort, 'SELECT pg_is_in_recovery()'), 'f');
    assert.equal(await cluster.sql(haproxy.replicaPort, 'SELECT pg_is_in_recovery()'), 't');
    const page = await serviceOf(primary).get('/-/metrics');
    const counts = page.kind === 'reply' ? page.body : '';
    assert.match(counts, /^patroniglue_agent_checks_total\{route="\/primary",state="up"\} [1-9]/m);
    assert.match(counts, /^patroniglue_agent_checks_total\{route="\/replica",state="standby"\} [1-9]/m);
  });

  behaviour("move to the new primary after a switchover, and end the sessions of the old one's clients", async () => {
    const { cluster, haproxy } = deployment;
    const client = await openClient(haproxy.primaryPort);
    const ended = new Promise((resolve) => client.once('close', resolve));
    const now = await cluster.switchover();
    await sides(now);
    assert.equal(await cluster.sql(haproxy.primaryPort, 'SHOW port'), String(now.pgPort));
    await within('the session is ended', 5000, ended);
  });

  behaviour('take a frozen primary down with the reason, and up again at the thaw', async () => {
    const { cluster } = deployment;
    const primary = await cluster.primary();
    primary.freeze();
    try {
      await shows(`primary/${primary.name}`, 'DOWN (agent)', /^via agent : down \(stale: .+\)$/);
    } finally {
      primary.thaw();
    }
    await deployment.settled();
    await sides(await cluster.primary());
  });

  behaviour('show a frozen standby as down, where it was in maintenance, and never as up in between', async () => {
    const { cluster, haproxy } = deployment;
    const replica = await cluster.replica();
    const server = `primary/${replica.name}`;
    const connections = async (): Promise<string> => cluster.sql(haproxy.primaryPort, 'SELECT pg_is_in_recovery()');
    replica.freeze();
    try {
      const seen: string[] = [];
      await eventually(
        `${server} is down`,
        20_000,
        async () => {
          const { status } = await stateOf(server);
          if (seen.at(-1) !== status) seen.push(status);
          return status.startsWith('DOWN');
        },
        2,
      );
      assert.deepEqual(
        seen.map((status) => status.split(' ')[0]),
        ['MAINT', 'DOWN'],
      );
      assert.equal(await connections(), 'f');
    } finally {
      replica.thaw();
    }
    await shows(server, 'MAINT', /^via agent : up$/);
  });

  behaviour('change nothing when patroniglue is started anew', async () => {
    const { cluster, haproxy } = deployment;
    const primary = await cluster.primary();
    const before = await stateOf(`primary/${primary.name}`);
    const client = await openClient(haproxy.primaryPort);
    const service = serviceOf(primary);
    service.signal('SIGTERM');
    await service.exit;
    await service.startAgain();
    await always('the primary is up', 2000, async () => (await stateOf(`primary/${primary.name}`)).up);
    assert.equal((await stateOf(`primary/${primary.name}`)).downs, before.downs);
    assert.equal(client.destroyed, false);
    client.destroy();
  });

  behaviour('leave it to the http check to take a primary down whose patroniglue is dead', async () => {
    const { cluster } = deployment;
    const primary = await cluster.primary();
    const service = serviceOf(primary);
    const server = `primary/${primary.name}`;
    service.signal('SIGKILL');
    await service.exit;
    try {
      await shows(server, 'DOWN', /^Connection refused$/);
      assert.equal((await stateOf(server)).check, 'L4CON');
    } finally {
      await service.startAgain();
    }
    await sides(primary);
  });

  behaviour(
    'leave a standby in maintenance whose patroniglue is dead, promoted or not, until HAProxy is told to ask Patroni',
    async () => {
      const { cluster, haproxy } = deployment;
      const replica = await cluster.replica();
      const service = serviceOf(replica);
      const server = `primary/${replica.name}`;
      const say = async (...commands: string[]): Promise<void> => {
        for (const command of commands) await haproxy.command(command.replace('%', server));
      };
      service.signal('SIGKILL');
      await service.exit;
      try {
        await cluster.switchover();
        await shows(`primary/${(await cluster.replica()).name}`, 'MAINT', /^via agent : up$/);
        await always(
          'the new primary stays in maintenance',
          2000,
          async () => (await stateOf(server)).status === 'MAINT',
        );
        await say('disable agent %', `set server % check-port ${replica.restPort}`, 'set server % state ready');
        assert.equal(await cluster.sql(haproxy.primaryPort, 'SHOW port'), String(replica.pgPort));
        await always('Patroni itself keeps it up', 2000, async () => (await stateOf(server)).up);
      } finally {
        await service.startAgain();
        await say(`set server % check-port ${service.port}`, 'enable agent %');
      }
      await sides(replica);
    },
  );

  behaviour('are told in a word what is wrong with a question, and nothing changes', async () => {
    const primary = await deployment.cluster.primary();
    for (const [agentSend, word] of [
      [String.raw`/primry\n`, /^agent reports an error : not-a-route:\/primry$/],
      [String.raw`/replica`, /^agent reports an error : line-without-end:/],
      [String.raw`x up maint 0%,down\n`, /^agent reports an error : not-a-route:x_up_maint_0%_down$/],
    ] as const) {
      const haproxy = await startHAProxy({ servers: deployment.servers, agentSend });
      try {
        await eventually(`the answer to ${agentSend}`, 10_000, async () => {
          const states = await haproxy.serverStates();
          const { status, agent } = states[`primary/${primary.name}`] ?? {};
          return status === 'UP' && word.test(agent?.says ?? '');
        });
      } finally {
        await haproxy.close();
      }
    }
  });

  for (const [standby, primaryTarget, status, says] of [
    ['drain', '/health', 'DRAIN (agent)', /^via agent : up$/],
    ['drain', undefined, 'DOWN', /^via agent : up$/],
    ['down', undefined, 'DOWN (agent)', /^via agent : down \(Patroni answers 503\)$/],
  ] as const) {
    behaviour(
      `show a standby as ${status} with agent.standby: ${standby}${primaryTarget ? ` and http checks of ${primaryTarget}` : ''}`,
      async () => {
        const { cluster, servers } = deployment;
        const services = await Promise.all(
          cluster.nodes.map(async ({ restPort }) => {
            const agent = { port: await freePort(), standby };
            const config = { backend: { host: '127.0.0.1', port: restPort }, agent, cache };
            return { agentPort: agent.port, service: await startService({ config }) };
          }),
        );
        const own = servers.map((server, index) => ({ ...server, agentPort: services[index]?.agentPort }));
        const haproxy = await startHAProxy({ servers: own, primaryTarget });
        try {
          const { name } = await cluster.replica();
          await eventually(`the standby is ${status}`, 10_000, async () => {
            const state = (await haproxy.serverStates())[`primary/${name}`];
            if (state?.status === status && says.test(state.agent.says)) return true;
            throw new Error(`${state?.status ?? ''}, ${state?.agent.says ?? ''}`);
          });
          await always('it stays so', 2000, async () => {
            return (await haproxy.serverStates())[`primary/${name}`]?.status === status;
          });
        } finally {
          await haproxy.close();
          await Promise.all(services.map(({ service }) => service.close()));
        }
      },
    );
  }
});
