import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { basename, delimiter, dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { version } from '../../src/version.js';
import { ask } from '../support/clients/http-get.js';
import { freePort } from '../support/processes/ports.js';
import { run } from '../support/processes/processes.js';
import { eventually } from '../support/time/wait.js';
import { createWorkspace, type Workspace } from '../support/processes/workspace.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** What a package may hold: what runs, what is copied from, what is read. */
const kinds: readonly RegExp[] = [
  /^build\/bundle\/(patroniglue\.cjs|THIRD-PARTY-LICENSES\.txt)$/,
  /^build\/patroniglue\.8$/,
  /^examples\/[\w.@-]+$/,
  /^docs\/[\w-]+\.md$/,
  /^(package\.json|config\.schema\.json|config\.yml\.example|ecosystem\.config\.cjs|LICENSE|README\.md|CHANGELOG\.md)$/,
];

/** What it must hold, whatever else is built. */
const needed: readonly string[] = [
  'CHANGELOG.md',
  'LICENSE',
  'README.md',
  'build/bundle/THIRD-PARTY-LICENSES.txt',
  'build/bundle/patroniglue.cjs',
  'build/patroniglue.8',
  'config.schema.json',
  'config.yml.example',
  'docs/alerts.md',
  'docs/operations.md',
  'ecosystem.config.cjs',
  'examples/haproxy.cfg',
  'package.json',
];

describe('the package', () => {
  let workspace: Workspace;
  let tarball: string;

  /** The npm that runs the tests; its settings (registry, cache, proxy) are the machine's own. */
  const npm = (...args: readonly string[]): Promise<string> => {
    const cli = process.env['npm_execpath'] ?? '';
    const [command, first] = basename(cli).startsWith('npm-cli') ? [process.execPath, [cli]] : ['npm', []];
    const env = Object.fromEntries(
      Object.entries(process.env).filter((entry): entry is [string, string] => !!entry[1]),
    );
    return run(`npm ${args[0] ?? ''}`, command, [...first, ...args], { env, cwd: root, deadlineMs: 55_000 });
  };

  before(async () => {
    workspace = await createWorkspace();
    // --ignore-scripts: `prepare` would build anew, under the feet of the tests that run from build/
    await npm('pack', '--ignore-scripts', '--loglevel=error', `--pack-destination=${workspace.dir}`);
    const [name, ...others] = readdirSync(workspace.dir).filter((file) => file.endsWith('.tgz'));
    assert.ok(name !== undefined && others.length === 0, 'npm pack made one tarball');
    tarball = workspace.path(name);
  });

  after(() => workspace.close());

  it('holds what runs and nothing else', async () => {
    const listing = await run('tar', 'tar', ['-tzf', tarball], { env: { PATH: process.env['PATH'] ?? '' } });
    const files = listing
      .trim()
      .split('\n')
      .map((line) => line.replace(/^package\//, ''));
    const foreign = files.filter((file) => !kinds.some((kind) => kind.test(file)));
    assert.deepEqual(foreign, [], 'no tests, maps or sources');
    const missing = needed.filter((file) => !files.includes(file));
    assert.deepEqual(missing, [], 'nothing is missing');
  });

  describe('installed with npm install -g', () => {
    let command: string;
    let installed: string;
    /** Its first line is `#!/usr/bin/env node`. */
    const env = { PATH: [dirname(process.execPath), '/usr/bin', '/bin'].join(delimiter) };

    before(async () => {
      const prefix = await workspace.mkdir('prefix');
      await npm('install', '-g', `--prefix=${prefix}`, '--prefer-offline', '--no-audit', '--no-fund', tarball);
      command = join(prefix, 'bin', 'patroniglue');
      installed = join(prefix, 'lib', 'node_modules', 'patroniglue');
    });

    it('says its version', async () => {
      assert.equal(await workspace.run('patroniglue --version', command, ['--version'], env), `${version}\n`);
    });

    it('finds the example configuration in order', async () => {
      const example = join(installed, 'config.yml.example');
      const output = await workspace.run('patroniglue --check', command, ['--check', '--config', example], env);
      assert.match(
        output,
        /^note: frontend\.host: localhost is reachable only from this host: .*\nconfiguration ok: \S+\n$/,
      );
    });

    it('serves, and ends with 0 on SIGTERM', async () => {
      const port = await freePort();
      const config = {
        frontend: { host: '127.0.0.1', port },
        backend: { host: '127.0.0.1', port: await freePort() },
      };
      const file = await workspace.write('config.yml', stringify(config));
      const running = await workspace.start('patroniglue', command, ['--config', file], env);
      await eventually('patroniglue answers /-/healthy', 10_000, async () => {
        assert.ok(running.alive(), running.output());
        return (await ask(port, '/-/healthy')).status === 200;
      });
      assert.deepEqual(await running.stop(5_000), { code: 0, signal: null });
    });
  });
});
