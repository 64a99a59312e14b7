import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { copyFile, cp, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { version } from '../../src/version.js';
import { type Reply, ask } from '../support/clients/http-get.js';
import { programs } from '../support/processes/main-file.js';
import { freePort } from '../support/processes/ports.js';
import { type Running, run } from '../support/processes/processes.js';
import { type Workspace, createWorkspace } from '../support/processes/workspace.js';
import { eventually } from '../support/time/wait.js';
import { type Upstream, startUpstream } from '../support/upstreams/upstream.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const bundleDir = dirname(programs.bundle);

/** The program has about 20 open files at rest. Compiled, with a file for each module, it cannot start with so few. */
const FEW_FILES = 40;

describe('the bundle', () => {
  let workspace: Workspace;
  let upstream: Upstream;
  let program: string;
  let config: string;
  let port: number;
  let running: Running | undefined;

  before(async () => {
    workspace = await createWorkspace();
    upstream = await startUpstream();
    program = join(await workspace.mkdir('alone'), 'patroniglue.cjs');
    await copyFile(programs.bundle, program);
    port = await freePort();
    const sections = { frontend: { host: '127.0.0.1', port }, backend: { host: '127.0.0.1', port: upstream.port } };
    config = await workspace.write('config.yml', stringify(sections));
  });
  afterEach(async () => {
    await running?.stop();
    running = undefined;
  });
  after(async () => {
    await upstream.close();
    await workspace.close();
  });

  async function start(command: string, ...args: readonly string[]): Promise<Running> {
    const started = await workspace.start('patroniglue', command, [...args, '--config', config]);
    running = started;
    await eventually('/primary is fresh', 10_000, async () => {
      assert.ok(started.alive(), started.output());
      return (await get('/primary')).status === 200;
    });
    return started;
  }

  const get = async (path: string): Promise<Exclude<Reply, { kind: 'failure' }>> => {
    const reply = await ask(port, path);
    if (reply.kind === 'failure') throw new Error(`${path}: ${reply.reason}`);
    return reply;
  };
  const once = (...args: readonly string[]): Promise<string> =>
    workspace.run(`patroniglue ${args.join(' ')}`, process.execPath, [program, ...args]);

  it('has everything in it: version, usage, check', async () => {
    assert.equal(await once('--version'), `${version}\n`);
    assert.match(await once('--help'), /^Usage: patroniglue /);
    assert.ok((await once('--check', '--config', config)).endsWith(`configuration ok: ${config}\n`));
  });

  it('has everything in it: answers, metrics, and the status page with its files', async () => {
    await start(process.execPath, program);
    assert.match((await get('/-/metrics')).body, new RegExp(`version="${version.replaceAll('.', '\\.')}"`));
    assert.match((await get('/-/status')).body, /<html/);
    for (const file of ['status.css', 'status.js']) {
      const asset = readFileSync(join(root, 'src/status/assets', file), 'utf8');
      assert.equal((await get(`/-/${file}`)).body, asset, file);
    }
  });

  it('holds no path of the machine that built it', () => {
    assert.ok(!readFileSync(program, 'utf8').includes(root));
  });

  it('starts with few open files', async (t) => {
    if (spawnSync('prlimit', ['--version']).status !== 0) {
      t.skip('no prlimit here (util-linux)');
      return;
    }
    await start('prlimit', `--nofile=${FEW_FILES}:${FEW_FILES}`, process.execPath, program);
  });

  it('is made of the same bytes again, also in another directory', async () => {
    for (const name of ['one', 'another']) {
      const dir = await workspace.mkdir(name);
      for (const file of ['package.json', 'scripts']) await cp(join(root, file), join(dir, file), { recursive: true });
      await cp(join(root, 'build/src'), join(dir, 'build/src'), { recursive: true });
      await symlink(join(root, 'node_modules'), join(dir, 'node_modules'));
      await run('the bundle', process.execPath, ['scripts/bundle.mjs'], { env: {}, cwd: dir, deadlineMs: 60_000 });
      for (const file of ['patroniglue.cjs', 'THIRD-PARTY-LICENSES.txt']) {
        assert.deepEqual(readFileSync(join(dir, 'build/bundle', file)), readFileSync(join(bundleDir, file)), file);
      }
    }
  });

  it('comes with the licence of each package that ships with it', () => {
    const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { readonly dev?: boolean }>;
    };
    const text = readFileSync(join(bundleDir, 'THIRD-PARTY-LICENSES.txt'), 'utf8');
    const named = [...text.matchAll(/^-{80}\n\n(\S+) \d/gm)].map(([, name]) => name);
    for (const name of ['axios', 'prom-client', 'rxjs', 'sonic-boom', 'winston', 'yaml']) {
      assert.ok(named.includes(name), name);
    }
    for (const name of named) assert.equal(packages[`node_modules/${name}`]?.dev ?? false, false, `${name} ships`);
    for (const unused of ['form-data', 'mime-db']) assert.ok(!named.includes(unused), unused);
    assert.deepEqual(readdirSync(bundleDir).sort(), [
      'THIRD-PARTY-LICENSES.txt',
      'patroniglue.cjs',
      'patroniglue.cjs.map',
    ]);
  });

  const preload = fileURLToPath(new URL('../support/processes/loaded-preload.js', import.meta.url));
  for (const [name, file] of Object.entries(programs)) {
    // From Node 22 on, `import 'node:http'` itself loads it; `require` does not.
    const skip = name === 'modules' && !process.version.startsWith('v20.') && 'Node itself loads it';
    it(`as ${name}: does not make Node load undici`, { skip }, async () => {
      const started = await start(process.execPath, '--import', preload, file);
      await started.stop();
      const [line = '[]'] = /^\[.*\]$/m.exec(started.output()) ?? [];
      const loaded = JSON.parse(line) as string[];
      assert.ok(
        loaded.some((module) => module.endsWith(' http')),
        'there is a list',
      );
      assert.deepEqual(
        loaded.filter((module) => module.includes('undici')),
        [],
      );
    });
  }
});
