import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startEtcd } from '../support/cluster/etcd.js';
import { findProgram, findPrograms, skipReason } from '../support/processes/programs.js';
import { type Workspace, createWorkspace } from '../support/processes/workspace.js';

const PASSWORD_FILE = '/etc/patroniglue/etcd-password';

/** The shell commands of the chapter. */
function commandsOf(page: string): readonly string[] {
  const chapter = page.split('## A role that may only read')[1] ?? '';
  const block = /```sh\n([^`]*)```/.exec(chapter)?.[1] ?? '';
  return block.trim().split('\n');
}

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

describe('the role in etcd of docs/witness.md', { skip: await skipReason(['etcdctl']) }, () => {
  let workspace: Workspace;
  let port: number;
  let leaseId: string;
  let token: string;

  /** Runs it as etcd's user root does, once etcd has authentication. */
  const sh = (command: string, user?: string): Promise<string> =>
    workspace.run(command, '/bin/sh', ['-c', command], {
      ETCDCTL_API: '3',
      ETCDCTL_ENDPOINTS: `http://127.0.0.1:${port}`,
      ...(user !== undefined && { ETCDCTL_USER: user }),
    });
  /** Asks etcd's JSON gateway, as patroniglue does. */
  const post = async (path: string, question: object): Promise<Answer> => {
    const reply = await fetch(`http://127.0.0.1:${port}${path}`, {
      method: 'POST',
      headers: token === '' ? {} : { Authorization: token },
      body: JSON.stringify(question),
    });
    return { status: reply.status, body: (await reply.json()) as Answer['body'] };
  };
  const leaseNumber = (): string => BigInt(`0x${leaseId}`).toString();
  const base64 = (text: string): string => Buffer.from(text).toString('base64');

  before(async () => {
    assert.ok(findProgram('etcdctl'));
    workspace = await createWorkspace();
    port = (await startEtcd(workspace, findPrograms().etcd)).members[0]?.port ?? 0;
    token = '';
    const granted = await sh('etcdctl lease grant 60');
    leaseId = /lease ([0-9a-f]+) granted/.exec(granted)?.[1] ?? '';
    await sh(`etcdctl put --lease=${leaseId} /service/main/leader node1`);
    await sh('etcdctl put /service/main2/leader node2');
    await sh('etcdctl user add root:secret && etcdctl user grant-role root root && etcdctl auth enable');

    const commands = commandsOf(
      readFileSync(fileURLToPath(new URL('../../../docs/witness.md', import.meta.url)), 'utf8'),
    );
    assert.equal(
      commands.filter((command) => command.startsWith('etcdctl ')).length,
      4,
      'they are found in the document',
    );
    const file = workspace.path('etcd-password');
    for (const command of commands) await sh(command.replace(PASSWORD_FILE, file), 'root:secret');
    const password = readFileSync(file, 'utf8').trim();
    const { body } = await post('/v3/auth/authenticate', { name: 'patroniglue', password });
    token = String(body['token']);
  });
  after(() => workspace.close());

  it('may read the keys of the cluster, in one transaction', async () => {
    const requestRange = { key: base64('/service/main/leader') };
    const { status, body } = await post('/v3/kv/txn', { success: [{ requestRange }] });
    assert.equal(status, 200, JSON.stringify(body));
    assert.ok(JSON.stringify(body).includes(base64('node1')));
  });

  it('may ask how much is left of a lease', async () => {
    const { status, body } = await post('/v3/lease/timetolive', { ID: leaseNumber() });
    assert.equal(status, 200, JSON.stringify(body));
    assert.equal(body['grantedTTL'], '60');
    assert.ok(Number(body['TTL']) > 0);
  });

  const leader = base64('/service/main/leader');
  for (const [what, path, question] of [
    ['read the keys of another cluster', '/v3/kv/range', () => ({ key: base64('/service/main2/leader') })],
    ['write a key of the cluster', '/v3/kv/put', () => ({ key: leader, value: base64('node3') })],
    ['delete a key of the cluster', '/v3/kv/deleterange', () => ({ key: leader })],
    ['end the lease of the leader key', '/v3/lease/revoke', () => ({ ID: leaseNumber() })],
    ['make users', '/v3/auth/user/add', () => ({ name: 'other', password: 'other' })],
  ] as const) {
    it(`may not ${what}`, async () => {
      const { status, body } = await post(path, question());
      assert.equal(status, 403, JSON.stringify(body));
      assert.match(String(body['message']), /permission denied/);
    });
  }

  it('is needed: without a user, etcd tells nothing', async () => {
    token = '';
    const { status } = await post('/v3/kv/range', { key: base64('/service/main/leader') });
    assert.notEqual(status, 200);
  });
});
