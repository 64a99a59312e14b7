import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { assertEndsAsAsked } from '../support/ends.js';
import { ask } from '../support/http-get.js';
import { freePort } from '../support/ports.js';
import { mainFile } from '../support/service.js';
import { eventually, within } from '../support/wait.js';
import { type Workspace, createWorkspace } from '../support/workspace.js';

/** A loopback address of its own: 127.0.0.53 is systemd-resolved's. */
const NAME_SERVER = '127.9.9.9';

/** A process gets a resolv.conf of its own in a mount namespace of its own, which takes root. */
const skip =
  spawnSync('unshare', ['-m', 'true']).status !== 0 && 'no mount namespaces here (run as root, with CAP_SYS_ADMIN)';

describe('a name server that never answers', { skip }, () => {
  const nameServer = createSocket('udp4');
  let workspace: Workspace;
  let resolvConf: string;
  before(async () => {
    workspace = await createWorkspace();
    resolvConf = await workspace.write('resolv.conf', `nameserver ${NAME_SERVER}\noptions timeout:30 attempts:1\n`);
    nameServer.bind(53, NAME_SERVER);
    await once(nameServer, 'listening');
  });
  after(async () => {
    nameServer.close();
    await workspace.close();
  });

  async function start(config: object): Promise<ChildProcess> {
    const file = await workspace.write('config.yml', JSON.stringify(config));
    const script = `mount --bind "${resolvConf}" /etc/resolv.conf && exec "${process.execPath}" "${mainFile}" --config "${file}"`;
    return spawn('unshare', ['-m', 'sh', '-c', script], { stdio: ['ignore', 'ignore', 'inherit'] });
  }

  it('delays neither a reply nor the end where Patroni has a name', async () => {
    const port = await freePort();
    const backend = { host: 'patroni.example.test', port: 8008 };
    const asked = once(nameServer, 'message');
    const child = await start({ frontend: { host: '127.0.0.1', port }, backend });
    await within('the name is asked for', 10_000, asked);
    await eventually('it answers 503', 10_000, async () => (await ask(port, '/primary')).status === 503);
    await assertEndsAsAsked(child);
  });

  it('does not delay the end where the front end has a name', async () => {
    const asked = once(nameServer, 'message');
    const child = await start({ frontend: { host: 'front.example.test', port: await freePort() } });
    await within('the name is asked for', 10_000, asked);
    await assertEndsAsAsked(child);
  });
});
