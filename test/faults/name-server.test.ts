import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { assertEndsAsAsked } from '../support/attacks/ends.js';
import { ask } from '../support/clients/http-get.js';
import { nowMs } from '../support/time/monotonic.js';
import { type NameServer, startNameServer } from '../support/upstreams/name-server.js';
import { freePort } from '../support/processes/ports.js';
import { mainFile } from '../support/processes/main-file.js';
import { type Upstream, startUpstream } from '../support/upstreams/upstream.js';
import { eventually, within } from '../support/time/wait.js';
import { type Workspace, createWorkspace } from '../support/processes/workspace.js';

/** A loopback address of its own: 127.0.0.53 is systemd-resolved's. */
const NAME_SERVER = '127.9.9.9';

/** A process gets a resolv.conf of its own in a mount namespace of its own, which takes root. */
const skip =
  spawnSync('unshare', ['-m', 'true']).status !== 0 && 'no mount namespaces here (run as root, with CAP_SYS_ADMIN)';

describe('a name server that never answers', { skip }, () => {
  let nameServer: NameServer;
  let workspace: Workspace;
  let resolvConf: string;
  let upstream: Upstream | undefined;
  const children: ChildProcess[] = [];
  before(async () => {
    workspace = await createWorkspace();
    resolvConf = await workspace.write('resolv.conf', `nameserver ${NAME_SERVER}\noptions timeout:1 attempts:30\n`);
    nameServer = await startNameServer(NAME_SERVER, 'silence');
  });
  beforeEach(() => {
    nameServer.say('silence');
  });
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL'); // what a failed test leaves
    await upstream?.close();
    upstream = undefined;
  });
  after(async () => {
    await nameServer.close();
    await workspace.close();
  });

  async function start(config: object, namespaces: readonly string[] = []): Promise<ChildProcess> {
    const file = await workspace.write('config.yml', JSON.stringify(config));
    const script = `mount --bind "${resolvConf}" /etc/resolv.conf && exec "${process.execPath}" "${mainFile}" --config "${file}"`;
    const child = spawn('unshare', ['-m', ...namespaces, 'sh', '-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(child);
    return child;
  }

  it('delays neither a reply nor the end where Patroni has a name', async () => {
    const port = await freePort();
    const backend = { host: 'patroni.example.test', port: 8008 };
    const asked = nameServer.asked();
    const child = await start({ frontend: { host: '127.0.0.1', port }, backend });
    await within('the name is asked for', 10_000, asked);
    await eventually('it answers 503', 10_000, async () => (await ask(port, '/primary')).status === 503);
    await assertEndsAsAsked(child);
  });

  it('does not delay the end where the front end has a name', async () => {
    const asked = nameServer.asked();
    const child = await start({ frontend: { host: 'front.example.test', port: await freePort() } });
    await within('the name is asked for', 10_000, asked);
    await assertEndsAsAsked(child);
  });

  it('does not delay the end of PID 1, which gets no signal from itself', async () => {
    const asked = nameServer.asked();
    const backend = { host: 'patroni.example.test', port: 8008 };
    const child = await start({ frontend: { host: '127.0.0.1', port: await freePort() }, backend }, [
      '--pid',
      '--fork',
      '--mount-proc',
    ]);
    await within('the name is asked for', 10_000, asked);
    const pid1 = Number(readFileSync(`/proc/${child.pid ?? 0}/task/${child.pid ?? 0}/children`, 'utf8'));
    const ended = once(child, 'exit');
    const sentMs = nowMs();
    process.kill(pid1, 'SIGTERM');
    const [code] = (await within('it ends', 2000, ended)) as [number | null];
    assert.ok(nowMs() - sentMs < 6000, 'it took 7 to 25 s when the signal was lost');
    // Before Node 22.15 there is no way to end as asked.
    if ('execve' in process) assert.equal(code, 0);
  });

  it('delays no poll where the agent has a name, and loses no SIGHUP', async () => {
    upstream = await startUpstream();
    const port = await freePort();
    const child = await start({
      frontend: { host: '127.0.0.1', port },
      backend: { host: '127.0.0.1', port: upstream.port },
      agent: { host: 'agent.example.test', port: await freePort() },
    });
    let output = '';
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
    await eventually('200', 10_000, async () => (await ask(port, '/primary')).status === 200);
    assert.doesNotMatch(output, /agent checks: listening/);
    child.kill('SIGHUP');
    await eventually('it is answered still', 5000, async () => (await ask(port, '/primary')).status === 200);
    nameServer.say('127.0.0.1');
    await eventually('the configuration is read again', 20_000, () =>
      output.includes('info: reloaded; nothing has changed'),
    );
    assert.match(output, /agent checks: listening on 127\.0\.0\.1:/);
    await assertEndsAsAsked(child);
  });
});
