import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { freePort } from '../support/processes/ports.js';
import { startProcess } from '../support/processes/processes.js';
import { mainFile } from '../support/processes/main-file.js';
import { startService } from '../support/processes/service.js';
import { type Upstream, silent, startUpstream } from '../support/upstreams/upstream.js';
import { eventually, within } from '../support/time/wait.js';
import { type Workspace, createWorkspace } from '../support/processes/workspace.js';

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

describe('patroniglue', () => {
  let workspace: Workspace;
  let upstream: Upstream;
  before(async () => {
    workspace = await createWorkspace();
    upstream = await startUpstream();
  });
  after(async () => {
    await upstream.close();
    await workspace.close();
  });

  /** Runs to its end, with HOME in the workspace. */
  async function run(...args: string[]): Promise<Ended> {
    const env = { ...process.env, HOME: workspace.dir };
    const child = spawn(process.execPath, [mainFile, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const [code] = (await within('it ends', 10_000, once(child, 'close'))) as [number | null];
    return { code, stdout, stderr };
  }

  const configFor = async (frontend: object, more: object = {}): Promise<string> =>
    workspace.write(
      `config-${await freePort()}.yml`,
      `${JSON.stringify({ frontend, backend: { host: '127.0.0.1', port: upstream.port }, ...more })}\n`,
    );

  it('tells its version and its usage, with one dash as with two', async () => {
    for (const flag of ['--version', '-version']) {
      const { code, stdout } = await run(flag);
      assert.equal(code, 0);
      assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
    }
    const { code, stdout } = await run('-help');
    assert.equal(code, 0);
    assert.match(stdout, /^Usage: patroniglue /);
  });

  it("prints a configuration made from Patroni's, or one line that says why not", async () => {
    const patroni = await workspace.write('patroni.yml', 'scope: main\nname: n\nrestapi: {listen: "127.0.0.1:8008"}\n');
    const good = await run('--init', patroni);
    assert.deepEqual([good.code, good.stderr], [0, '']);
    const config = await workspace.write('printed.yml', good.stdout);
    assert.match((await run('--check', '--config', config)).stdout, /^configuration ok: /m);

    const bad = await run('--init', workspace.path('none.yml'));
    const stderr = `${workspace.path('none.yml')}:1:1: cannot read the file: no such file\n`;
    assert.deepEqual(bad, { code: 2, stdout: '', stderr });
  });

  it('writes that configuration into a file, and leaves the file as it is if it cannot make one', async () => {
    const file = await workspace.write('config.yml', 'frontend: {port: 80}\n');
    const none = await run('--init', workspace.path('none.yml'), '--output', file);
    assert.deepEqual([none.code, none.stdout], [2, '']);
    assert.equal(await readFile(file, 'utf8'), 'frontend: {port: 80}\n');

    const patroni = await workspace.write('patroni.yml', 'scope: main\nname: n\nrestapi: {listen: "127.0.0.1:8008"}\n');
    const haproxy = await workspace.write('haproxy.cfg', 'this is no haproxy.cfg\n');
    const stdout = `${file} written; the former file is ${file}.bak\n`;
    const stderr = `warning: ${haproxy}: no health check found: is it a haproxy.cfg?\n`;
    const args = ['--init', patroni, '--haproxy', haproxy, '--output', file];
    assert.deepEqual(await run(...args), { code: 0, stdout, stderr });
    assert.equal((await run(...args)).stdout, `${file} has this configuration already\n`);
    assert.match((await run('--check', '--config', file)).stdout, /^configuration ok: /m);
  });

  it('ends with 1 if the file is written, and the service cannot start with it yet', async () => {
    const etcd = 'etcd3: {host: "10.0.0.21:2379", username: u, password: SECRET}';
    const text = `scope: main\nname: n\nrestapi: {listen: "127.0.0.1:8008"}\n${etcd}\n`;
    const patroni = await workspace.write('patroni-etcd.yml', text);
    const { code, stdout, stderr } = await run('--init', patroni, '--output', workspace.path('etcd.yml'));
    assert.deepEqual([code, stdout], [1, `${workspace.path('etcd.yml')} written\n`]);
    assert.match(stderr, /^LoadCredential=etcd-password:\/etc\/patroniglue\/etcd-password$/m);
    const checked = await run('--check', '--config', workspace.path('etcd.yml'));
    assert.equal(checked.code, 2);
    const file = '/run/credentials/patroniglue.service/etcd-password';
    assert.match(await readFile(workspace.path('etcd.yml'), 'utf8'), new RegExp(`^    password-file: ${file}$`, 'm'));
    assert.match(
      checked.stderr,
      /no such file\. It is there while the service runs, if a drop-in has LoadCredential= /,
    );
  });

  const isRoot = process.getuid?.() === 0;
  it('needs no home directory and no known user', { skip: !isRoot && 'only root may be another user' }, async (t) => {
    const unknown = { uid: 61_234, gid: 61_234 };
    const runAs = async (...args: readonly string[]): Promise<{ code: number | null; output: string }> => {
      const running = await startProcess('patroniglue', 'env', ['-i', process.execPath, ...args], {
        env: { PATH: '/usr/bin:/bin' },
        cwd: '/',
        owner: unknown,
      });
      const { code } = await within('it ends', 10_000, running.exit);
      return { code, output: running.output() };
    };
    if ((await runAs('--check', mainFile)).code !== 0) {
      t.skip('this directory is closed to others');
      return;
    }
    for (const flag of ['--version', '--help']) assert.equal((await runAs(mainFile, flag)).code, 0, flag);
    const { code, output } = await runAs(mainFile, '--check');
    assert.equal(code, 2);
    assert.match(output, /^no configuration: there is no \/etc\/patroniglue\/config\.yml; use --config FILE\n$/);
    const own = await createWorkspace(unknown);
    const file = await own.write('config.yml', 'frontend:\n  host: 127.0.0.1\n  port: 0\n');
    const service = await own.start('patroniglue', 'env', ['-i', process.execPath, mainFile, '--config', file]);
    await eventually('it listens', 10_000, () => service.output().includes('is listening on'));
    assert.equal((await service.stop()).code, 0);
    await own.close();
  });

  it('checks a configuration without running it', async () => {
    const file = await configFor({ host: '10.0.0.11', port: 8009 });
    const { code, stdout } = await run('--check', '--config', file);
    assert.deepEqual([code, stdout], [0, `configuration ok: ${file}\n`]);
  });

  const alone = 'reachable only from this host: if HAProxy runs on another host, set';
  it('says that it is reachable only from this host, when it checks and when it starts', async () => {
    for (const host of [undefined, 'localhost', '127.0.1.1', '::1']) {
      const { code, stdout } = await run('--check', '--config', await configFor({ ...(host && { host }), port: 8009 }));
      assert.equal(code, 0);
      assert.ok(
        stdout.startsWith(`note: frontend.host: ${host ?? 'localhost'} is ${alone} frontend.host to an`),
        stdout,
      );
    }
    const frontend = { host: '127.0.0.1' };
    const agent = { port: await freePort() };
    const here = await startService({ config: { frontend, agent }, flags: [] });
    assert.match(
      here.output(),
      new RegExp(`is listening on http://127\\.0\\.0\\.1:\\d+ \\(${alone} frontend\\.host to`),
    );
    assert.match(here.output(), new RegExp(`agent checks: listening on .* \\(${alone} agent\\.host to`));
    await here.close();
    const everywhere = await startService({ config: { frontend: { host: '0.0.0.0' } }, flags: [] });
    assert.match(everywhere.output(), /is listening on http:\/\/0\.0\.0\.0:\d+\n/);
    await everywhere.close();
  });

  it('ends with 1 and a sentence that says what to set when an address is not here, or a name is not known', async () => {
    for (const [host, why] of [
      ['198.51.100.1', 'it is no address of this host; set frontend.host to one of them'],
      ['2001:db8::1', '(it is no address of this host|this host has no IPv6); set frontend.host to'],
      ['fe80::1', '(a link-local address needs its interface|this host has no IPv6)'],
      [
        'nowhere.invalid',
        '(the name is not known; set frontend.host|the name server does not answer; set frontend.host)',
      ],
    ] as const) {
      const file = await configFor({ host, port: 8009 });
      const { code, stderr } = await run('--config', file);
      assert.deepEqual([code, stderr.split('\n').length], [1, 2], stderr);
      assert.match(stderr, new RegExp(`^cannot listen on ${host}: ${why}`));
    }
  });

  it('does not start with a file without keys, and does not call it ok', async () => {
    const file = await workspace.write('empty.yml', '# soon\n');
    for (const check of [[], ['--check'], ['--check', '--live'], ['--notify']]) {
      const { code, stdout, stderr } = await run('--config', file, ...check);
      assert.deepEqual([code, stdout], [2, ''], check.join(' '));
      assert.match(stderr, /^.*empty\.yml:1:1: the file has no keys \(.*\n$/);
    }
  });

  it('warns of a last line without a line feed when it checks a file', async () => {
    const file = await workspace.write('cut.yml', 'frontend:\n  host: 10.0.0.11\n  port: 80');
    const { code, stdout } = await run('--config', file, '--check');
    assert.equal(code, 0);
    assert.match(
      stdout,
      /^warning: .*cut\.yml:3:11: the last line does not end with a line feed: is the file cut off here\?\nconfiguration ok: .*\n$/,
    );
  });

  it('ends with 2 and plain lines, all problems at once, when the configuration is wrong', async () => {
    const file = await workspace.write('wrong.yml', 'frontend:\n  prot: 80\ncache:\n  ttl: 0\n');
    for (const check of [[], ['--check']]) {
      const { code, stdout, stderr } = await run('--config', file, ...check);
      assert.deepEqual([code, stdout], [2, '']);
      assert.match(stderr, /^.*wrong\.yml:2:3: .*port.*\n.*wrong\.yml:4:8: cache\.ttl: .*\n$/);
    }
  });

  it('ends with 2 when the file is not there, or the command line makes no sense', async () => {
    for (const args of [[], ['--config', '/nowhere/config.yml'], ['--verbos'], ['--quiet', '--debug'], ['file']]) {
      const { code, stderr } = await run(...args);
      assert.equal(code, 2, args.join(' '));
      assert.match(stderr, /^(\S.*\n){1,2}$/);
      assert.doesNotMatch(stderr, /\bat .*\.js/);
    }
  });

  it('ends with 1 and a sentence when the port is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const address = taken.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const { code, stderr } = await run('--config', await configFor({ host: '127.0.0.1', port }));
    taken.close();
    assert.deepEqual([code, stderr.split('\n').length], [1, 2]);
    assert.match(stderr, /^cannot listen on 127\.0\.0\.1 port \d+: the port is taken/);
  });

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`ends with 0 within one second of ${signal}, whoever holds a connection and whatever Patroni does`, async () => {
      upstream.behave(silent);
      const service = await startService({ config: { backend: { host: '127.0.0.1', port: upstream.port } } });
      const idle = connect(service.port, '127.0.0.1').on('error', () => undefined);
      await within('connected', 5000, once(idle, 'connect'));
      service.signal(signal);
      service.signal(signal); // as a terminal and npm together send it
      const exit = await within('it ends', 1500, service.exit); // one second, and slack for a busy machine
      assert.equal(exit.code, 0);
      assert.match(service.output(), new RegExp(`info: ${signal}: stopping\\n.*info: stopped\\n$`));
      idle.destroy();
      await service.close();
    });
  }

  it('says `ready` to pm2 once it listens', async () => {
    const port = await freePort();
    const config = await configFor({ host: '127.0.0.1', port });
    const child: ChildProcess = spawn(process.execPath, [mainFile, '--config', config], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const [message] = (await within('ready', 5000, once(child, 'message'))) as [unknown];
    assert.equal(message, 'ready');
    const client = connect(port, '127.0.0.1');
    await within('connected', 5000, once(client, 'connect'));
    client.destroy();
    child.kill('SIGTERM');
    await within('ended', 5000, once(child, 'exit'));
  });

  it('logs lines of JSON with the fields of the event where that is asked for', async () => {
    const service = await startService({
      config: { backend: { host: '127.0.0.1', port: upstream.port }, log: { format: 'json' } },
    });
    await service.get('/primary');
    await eventually('the request is logged', 5000, () => service.output().includes('"GET"'));
    service.signal('SIGTERM');
    await service.exit;
    const events = service
      .output()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    await service.close();
    for (const { timestamp } of events) assert.match(String(timestamp), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    const request = events.find(({ event, target }) => event === 'request' && target === '/primary');
    assert.deepEqual([request?.['method'], request?.['level']], ['GET', 'verbose']);
  });

  it('logs requests when verbose, and nothing but errors when quiet', async () => {
    for (const [flags, expected] of [
      [['--verbose'], /verbose: 127\.0\.0\.1 - GET \/primary\n/],
      [[], /^(?!.*verbose)/s],
      [['--quiet'], /^$/],
    ] as const) {
      const config = { backend: { host: '127.0.0.1', port: upstream.port } };
      const service = await startService({ config, flags: [...flags] });
      await service.get('/primary');
      service.signal('SIGTERM');
      await service.exit;
      await service.close();
      assert.match(service.output(), expected);
    }
  });
});
