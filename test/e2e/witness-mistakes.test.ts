import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { type Certificates, createCertificates } from '../support/certificates.js';
import { type Cluster, startCluster } from '../support/cluster/cluster.js';
import type { Node } from '../support/cluster/patroni-node.js';
import { type SecuredEtcd, startSecuredEtcd } from '../support/cluster/secured-etcd.js';
import { CLUSTER_KEY, untilWitnessAgrees, witnessOf } from '../support/cluster/witness.js';
import { skipReason } from '../support/processes/programs.js';
import { type Service, startService } from '../support/processes/service.js';
import { type Workspace, createWorkspace } from '../support/processes/workspace.js';
import { always, eventually } from '../support/time/wait.js';
import { type ScriptedEtcd, startScriptedEtcd } from '../support/upstreams/etcd.js';

const OTHER_KEY = '/service/other';

/** An answer of Patroni lasts for so long, and with a witness that must not be used, no reply lasts longer. */
const TTL_S = 4;

type Section = Readonly<Record<string, unknown>>;

/** A mistake in the section `witness`. */
interface Mistake {
  readonly title: string;
  /** The section, from a correct one. */
  readonly change: (section: Section) => Section;
  /** What the only warning says. */
  readonly warning: RegExp;
  /** Only a comparison with Patroni shows it where all nodes are on one host, and only there. */
  readonly isHidden?: boolean;
}

describe('A witness that is configured wrongly', { skip: await skipReason() }, () => {
  let cluster: Cluster;
  let secured: SecuredEtcd;
  let scripted: ScriptedEtcd;
  let certificates: Certificates;
  let workspace: Workspace;
  let [primary, replica]: [Node, Node] = [] as never;

  before(async () => {
    workspace = await createWorkspace();
    certificates = await createCertificates(workspace.dir);
    cluster = await startCluster({ hangable: true });
    [primary, replica] = [await cluster.primary(), await cluster.replica()];
    secured = await startSecuredEtcd();
    await secured.copy(cluster.etcd, CLUSTER_KEY);
    await secured.holdLeader(`${CLUSTER_KEY}/leader`, primary.name, 20);
    await secured.enable(CLUSTER_KEY);
    const { key, cert } = certificates.server;
    const [keyText, certText] = await Promise.all([key, cert].map((file) => readFile(file, 'utf8')));
    scripted = await startScriptedEtcd({ tls: { key: keyText, cert: certText } });
    await otherCluster();
  });
  after(async () => {
    await Promise.all([secured.close(), scripted.close()]);
    await cluster.close();
    await workspace.close();
  });

  /** Another cluster in the same etcd, in which a node with the replica's name is the leader, for an hour. */
  async function otherCluster(): Promise<void> {
    const { ID: lease } = await cluster.etcd.ask('/v3/lease/grant', { TTL: 3600 });
    const member = JSON.stringify({ conn_url: `postgres://127.0.0.1:${replica.pgPort}/postgres`, state: 'running' });
    await cluster.etcd.put(`${OTHER_KEY}/config`, JSON.stringify({ ttl: 3600, loop_wait: 1, retry_timeout: 1700 }));
    await cluster.etcd.put(`${OTHER_KEY}/initialize`, '7000000000000000001');
    await cluster.etcd.put(`${OTHER_KEY}/members/${replica.name}`, member);
    const base64 = (text: string): string => Buffer.from(text).toString('base64');
    await cluster.etcd.ask('/v3/kv/put', { key: base64(`${OTHER_KEY}/leader`), value: base64(replica.name), lease });
  }

  const overTls = (caFile: string): Section => ({
    hosts: [`127.0.0.1:${scripted.port}`],
    scheme: 'https',
    cafile: caFile,
  });
  const withUser = (username: string, passwordFile: string): Section => ({
    ...{ hosts: [`127.0.0.1:${secured.port}`], username },
    'password-file': passwordFile,
  });
  const mistakes = (files: { readonly right: string; readonly wrong: string }): readonly Mistake[] => [
    {
      title: 'the name of another member',
      change: (section) => ({ ...section, name: primary.name }),
      warning: /witness\.name/,
    },
    {
      title: 'the name of another member, and no PostgreSQL',
      change: (section) => ({ ...section, name: primary.name, postgres: 'none' }),
      warning: /witness\.name/,
      isHidden: true,
    },
    {
      title: 'the name of no member',
      change: (section) => ({ ...section, name: 'node9' }),
      warning: /no member node9 under witness\.key: .* witness\.name/,
    },
    {
      title: 'a prefix where no cluster is',
      change: (section) => ({ ...section, key: '/service/nobody' }),
      warning: /no cluster under witness\.key/,
    },
    {
      title: 'the prefix of another cluster in the same etcd',
      change: (section) => ({ ...section, key: OTHER_KEY }),
      warning: /another cluster .*witness\.key/,
      isHidden: true,
    },
    {
      title: 'a user without rights',
      change: (section) => ({ ...section, etcd3: withUser('elsewhere', files.right) }),
      warning: /the user elsewhere may not read \/service\/patroniglue\//,
    },
    {
      title: 'a wrong password',
      change: (section) => ({ ...section, etcd3: withUser('reader', files.wrong) }),
      warning: /refuses the user reader: wrong name or password/,
    },
    {
      title: 'no user, where etcd asks for one',
      change: (section) => ({ ...section, etcd3: { hosts: [`127.0.0.1:${secured.port}`] } }),
      warning: /asks for a user and a password, and none is configured/,
    },
    {
      title: 'the wrong CA',
      change: (section) => ({ ...section, etcd3: overTls(certificates.untrusted.cert) }),
      warning: /self[- ]signed|certificate|issuer/,
    },
  ];

  const warningsOf = (service: Service): readonly string[] =>
    service.output().match(/^.*warn: the witness (?:is not used|cannot be read).*$/gm) ?? [];
  const begin = async (node: Node, witness: Section): Promise<Service> =>
    startService({
      config: {
        ...{ backend: { host: '127.0.0.1', port: node.restPort }, witness },
        cache: { ttl: TTL_S, interval: 1 },
      },
      flags: [],
    });
  /** How often the witness was read. */
  const readsOf = async (service: Service): Promise<number> => {
    const page = await service.get('/-/metrics');
    const line =
      page.kind === 'reply' && /^patroniglue_witness_polls_total\{outcome="answered"\} (\d+)$/m.exec(page.body);
    return line ? Number(line[1]) : 0;
  };
  const statusOf = async (service: Service, path: string): Promise<number | undefined> =>
    (await service.get(path)).status;
  const whileFrozen = async (node: Node, body: () => Promise<void>): Promise<void> => {
    node.toggleApi();
    try {
      await body();
    } finally {
      node.toggleApi();
      await eventually('the API answers', 10_000, async () => (await node.rest('/liveness')).kind === 'reply');
    }
  };
  const files = async (): Promise<{ readonly right: string; readonly wrong: string }> => ({
    right: await workspace.write('right', `${secured.password}\n`),
    wrong: await workspace.write('wrong', 'not it\n'),
  });

  it('never leads to a 200, and is told in one warning that says what to correct', async () => {
    const all = mistakes(await files());
    const services = await Promise.all(all.map(({ change }) => begin(replica, change(witnessOf(cluster, replica)))));
    try {
      await Promise.all(
        all.map(({ title, warning }, index) =>
          eventually(`${title}: the warning`, 20_000, () => {
            const lines = services[index] ? warningsOf(services[index]) : [];
            if (lines.some((line) => warning.test(line))) return true;
            throw new Error(services[index]?.output());
          }),
        ),
      );
      await whileFrozen(replica, async () => {
        await eventually('no answer of Patroni is fresh any more', 10_000, async () => {
          const statuses = await Promise.all(services.map((service) => statusOf(service, '/replica')));
          return statuses.every((status) => status === 503);
        });
        await always('no service says 200', 3000, async () => {
          const statuses = await Promise.all(
            services.flatMap((service) => ['/primary', '/replica'].map((path) => statusOf(service, path))),
          );
          return !statuses.includes(200);
        });
      });
      for (const [index, { title, warning }] of all.entries()) {
        const lines = services[index] ? warningsOf(services[index]) : [];
        // before it, a busy machine may have let a read time out
        const others = lines.filter((line) => !warning.test(line) && !line.includes('timed out'));
        const [one, ...more] = lines.filter((line) => warning.test(line));
        assert.ok(one !== undefined && [...more, ...others].length === 0, `${title}: ${lines.join('\n')}`);
      }
    } finally {
      await Promise.all(services.map((service) => service.close()));
    }
  });

  it('never leads to a 200 of a service that starts while Patroni does not answer', async () => {
    const all = mistakes(await files()).filter(({ isHidden }) => isHidden !== true);
    await whileFrozen(replica, async () => {
      const services = await Promise.all(all.map(({ change }) => begin(replica, change(witnessOf(cluster, replica)))));
      try {
        await always('no service says 200', 3000, async () => {
          const statuses = await Promise.all(
            services.flatMap((service) => ['/primary', '/replica'].map((path) => statusOf(service, path))),
          );
          return !statuses.includes(200);
        });
      } finally {
        await Promise.all(services.map((service) => service.close()));
      }
    });
  });

  it('differs from a right one by the role of its user alone, and a right one gets a new token when it needs one', async () => {
    const { right } = await files();
    const service = await begin(primary, { ...witnessOf(cluster, primary), etcd3: withUser('reader', right) });
    const isByWitness = async (): Promise<boolean> => {
      const reply = await service.get('/primary');
      return reply.kind === 'reply' && (reply.headers['cache-status'] ?? '').includes('detail=witness');
    };
    try {
      await untilWitnessAgrees(service);
      await whileFrozen(primary, async () => {
        await eventually('200 by the witness', 10_000, async () => {
          return (await isByWitness()) && (await statusOf(service, '/primary')) === 200;
        });
        await secured.restart(); // it keeps tokens in memory
        const readsBefore = await readsOf(service);
        await eventually('it is read again, with a new token', 20_000, async () => {
          return (await readsOf(service)) > readsBefore;
        });
        await eventually('200 by what was read', 20_000, async () => {
          return (await isByWitness()) && (await statusOf(service, '/primary')) === 200;
        });
      });
      assert.doesNotMatch(service.output(), /not used|refuse|may not read/);
    } finally {
      await service.close();
    }
  });
});
