import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { findProgram, skipReason } from '../support/processes/programs.js';
import { type Service, startService } from '../support/processes/service.js';
import { type Upstream, answering, startUpstream } from '../support/upstreams/upstream.js';
import { always, eventually } from '../support/time/wait.js';
import { type Workspace, createWorkspace } from '../support/processes/workspace.js';

const ADDRESS = '127.0.0.77';

/** The one block of keepalived's configuration in `docs/clients.md`, as it stands there. */
async function documented(): Promise<string> {
  const page = await readFile(new URL('../../../docs/clients.md', import.meta.url), 'utf8');
  const [, block] = /```\n(vrrp_script [^]*?)```/.exec(page) ?? [];
  assert.ok(block, 'docs/clients.md has a vrrp_script');
  return block;
}

/** keepalived refuses the loopback interface, and so it gets a network of its own, from which its script comes back here. */
function fillIn(example: string, pid: number, port: number): string {
  const filled = example
    .replace('"/usr/bin/curl', `"/usr/bin/nsenter -t ${pid} -n /usr/bin/curl`)
    .replace(':8009', `:${port}`)
    .replace('interface eth0', 'interface pair0')
    .replace('192.0.2.10/24', `${ADDRESS}/32 dev lo`);
  return `global_defs {\n  script_user root\n  enable_script_security\n}\n${filled}`;
}

describe(
  'keepalived, as docs/clients.md sets it up',
  {
    skip:
      (await skipReason(['curl', 'keepalived'])) ||
      (spawnSync('unshare', ['-n', 'true']).status !== 0 && 'no network namespaces here (run as root)'),
  },
  () => {
    let workspace: Workspace;
    let upstream: Upstream;
    let service: Service;
    let holdsAddress: () => boolean;
    before(async () => {
      workspace = await createWorkspace();
      upstream = await startUpstream();
      service = await startService({ config: { backend: { host: '127.0.0.1', port: upstream.port } } });
      await eventually('the service is ready', 5000, async () => (await service.get('/-/ready')).status === 200);
      const config = fillIn(await documented(), process.pid, service.port);
      const file = await workspace.write('keepalived.conf', config);
      const script = [
        'ip link set lo up && ip link add pair0 type veth peer name pair1',
        'ip addr add 127.0.1.1/32 dev pair0 && ip link set pair0 up && ip link set pair1 up',
        `exec ${findProgram('keepalived')} -n -l -D -P -f ${file} -p ${workspace.path('pid')} -r ${workspace.path('vrrp')}`,
      ].join(' && ');
      const keepalived = await workspace.start('keepalived', 'unshare', ['-n', 'sh', '-c', script]);
      holdsAddress = () => {
        assert.ok(keepalived.alive(), keepalived.output());
        const shown = spawnSync('nsenter', ['-t', String(keepalived.pid), '-n', 'ip', '-o', 'addr'], {
          encoding: 'utf8',
        });
        return shown.stdout.includes(`inet ${ADDRESS}/`);
      };
    });
    after(async () => {
      await workspace.close();
      await service.close();
      await upstream.close();
    });

    const explained = async (body: () => Promise<unknown>): Promise<void> => {
      try {
        await body();
      } catch (error) {
        throw new Error(workspace.logs(), { cause: error });
      }
    };

    it('takes the address while /primary is 200, and keeps it through a short freeze of Patroni', async () => {
      await explained(async () => {
        await eventually('it holds the address', 30_000, holdsAddress);
        upstream.behave(() => undefined); // silence
        await always('the address stays', 2500, holdsAddress); // the default cache.ttl is 4 s
        upstream.behave(answering(200));
      });
    });

    it('gives the address up when Patroni says 503, and takes it again', async () => {
      await explained(async () => {
        upstream.behave(answering(503));
        await eventually('it has given the address up', 30_000, () => !holdsAddress());
        upstream.behave(answering(200));
        await eventually('it holds the address', 30_000, holdsAddress);
      });
    });
  },
);
