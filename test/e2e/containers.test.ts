import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments, stringify } from 'yaml';
import { parseConfig } from '../../src/config/parse.js';
import { execForm, followStage, instruction, parseDockerfile } from '../support/processes/dockerfile.js';
import { ask } from '../support/clients/http-get.js';
import { freePort } from '../support/processes/ports.js';
import { run } from '../support/processes/processes.js';
import { findProgram, skipReason } from '../support/processes/programs.js';
import { type Upstream, startUpstream } from '../support/upstreams/upstream.js';
import { eventually, within } from '../support/time/wait.js';
import { type Workspace, createWorkspace } from '../support/processes/workspace.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/**
 * There may be no container engine here, and no registry. So the instructions are followed by hand: files copied, commands run,
 * the last stage's tree started by its entry point, as its user, and asked by its health check. The base image is not tested.
 */
describe('the Dockerfile, followed by hand', { skip: await skipReason(['busybox']) }, () => {
  const stages = parseDockerfile(readFileSync(join(root, 'Dockerfile'), 'utf8'));
  const image = stages.at(-1);
  let workspace: Workspace;
  let upstream: Upstream;
  let app: string;
  /** What the health check needs of Alpine is busybox. */
  let bin: string;

  before(async () => {
    const [uid = NaN, gid = NaN] = instruction(image, 'USER').split(':').map(Number);
    workspace = await createWorkspace(process.getuid?.() === 0 ? { uid, gid } : undefined);
    bin = await workspace.mkdir('bin');
    for (const name of ['sh', 'wget']) await symlink(findProgram('busybox'), join(bin, name));
    upstream = await startUpstream();
  });
  after(async () => {
    await workspace.close();
    await upstream.close();
  });

  it('builds', { timeout: 300_000 }, async () => {
    const env = Object.fromEntries(
      Object.entries(process.env).filter((entry): entry is [string, string] => !!entry[1]), // npm's settings are in it
    );
    const rootOf = (stage: string): string => workspace.path(stage || 'image');
    for (const stage of stages) {
      app = await followStage(stage, {
        root: rootOf(stage.name),
        context: root,
        rootOf,
        run: (command, cwd) => run(command, '/bin/sh', ['-c', command], { env, cwd, deadlineMs: 120_000 }),
      });
    }
  });

  it('starts by its entry point as nobody, and is healthy while it answers', async () => {
    const port = await freePort();
    const config = { frontend: { host: '127.0.0.1', port }, backend: { host: '127.0.0.1', port: upstream.port } };
    const file = await workspace.write('config.yml', stringify(config));
    const [node, main = '', ...others] = execForm(image, 'ENTRYPOINT');
    assert.deepEqual([node, others], ['node', []]);
    const service = await workspace.start('patroniglue', process.execPath, [join(app, main), '--config', file]);
    const health = async (): Promise<number | null> => {
      const [shell = '', ...args] = execForm(image, 'HEALTHCHECK');
      const env = { PATRONIGLUE_HEALTHY: `http://127.0.0.1:${port}/-/healthy`, PATH: bin };
      const probe = await workspace.start('the health check', join(bin, shell), args, env);
      return (await within('it ends', 10_000, probe.exit)).code;
    };
    await eventually('it answers', 10_000, async () => {
      assert.ok(service.alive(), service.output());
      return (await ask(port, '/primary')).status === 200;
    });
    assert.equal(await health(), 0);
    service.signal('SIGTERM');
    assert.equal((await within('it ends', 5000, service.exit)).code, 0);
    assert.equal(await health(), 1);
  });

  it('starts by variables of the environment alone: no argument of the image asks for a file', async () => {
    const [, main = ''] = execForm(image, 'ENTRYPOINT');
    assert.ok(!image?.instructions.some(({ name }) => name === 'CMD'));
    const port = await freePort();
    const service = await workspace.start('patroniglue', process.execPath, [join(app, main)], {
      PATRONIGLUE_FRONTEND_HOST: '127.0.0.1',
      PATRONIGLUE_FRONTEND_PORT: String(port),
      PATRONIGLUE_BACKEND_HOST: '127.0.0.1',
      PATRONIGLUE_BACKEND_PORT: String(upstream.port),
      PATRONIGLUE_HEALTHY: `http://127.0.0.1:${port}/-/healthy`,
    });
    await eventually('it answers', 10_000, async () => {
      assert.ok(service.alive(), service.output());
      return (await ask(port, '/primary')).status === 200;
    });
    service.signal('SIGTERM');
    assert.equal((await within('it ends', 5000, service.exit)).code, 0);
  });

  it('names its user by a number', () => {
    assert.match(instruction(image, 'USER'), /^[1-9]\d*:[1-9]\d*$/);
  });
});

interface Container {
  readonly name: string;
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly startupProbe: Probe;
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

const noKubectl = await skipReason(['kubectl']);

describe('examples/kubernetes.yaml', () => {
  const text = readFileSync(join(root, 'examples/kubernetes.yaml'), 'utf8');
  const [configMap, statefulSet] = parseAllDocuments(text).map((document) => {
    assert.deepEqual(document.errors, []);
    return document.toJS() as unknown;
  }) as [
    { readonly data: Readonly<Record<string, string>> },
    { readonly spec: { readonly template: { readonly spec: { readonly containers: readonly Container[] } } } },
  ];
  const container = statefulSet.spec.template.spec.containers.find(({ name }) => name === 'patroniglue');

  it('has a configuration that patroniglue takes, at the port that is probed', () => {
    const config = parseConfig({
      text: configMap.data['config.yml'] ?? '',
      file: 'config.yml',
      nowMs: 0,
      readFile: () => '',
    });
    assert.deepEqual(config.warnings, []);
    assert.deepEqual(container?.ports, [{ name: 'checks', containerPort: config.frontend.port }]);
    for (const { httpGet } of [container.startupProbe, container.livenessProbe, container.readinessProbe]) {
      assert.deepEqual(httpGet, { path: '/-/healthy', port: 'checks' });
    }
    assert.equal(container.volumeMounts[0]?.mountPath, '/etc/patroniglue');
  });

  it('is restricted, by the Pod Security Standards', () => {
    assert.deepEqual(container?.securityContext, {
      runAsNonRoot: true,
      runAsUser: 65532,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    });
  });

  describe('by kubectl, without a cluster', { skip: noKubectl }, () => {
    let workspace: Workspace;
    before(async () => {
      workspace = await createWorkspace();
    });
    after(() => workspace.close());

    /** Whatever kubectl does not know, it leaves out when it reads a manifest into Kubernetes' own types. */
    const unknown = async (manifest: unknown): Promise<string[]> => {
      const file = await workspace.write('stateful-set.yaml', stringify(manifest));
      const args = ['set', 'env', '--local', '-f', file, 'ADDED=1', '-o', 'json']; // says nothing if nothing changes
      return lacking(manifest, JSON.parse(await workspace.run('kubectl', 'kubectl', args)));
    };

    it('every field of the StatefulSet is one of Kubernetes', async () => {
      assert.deepEqual(await unknown(statefulSet), []);
    });

    it('a misspelt one is found', async () => {
      const misspelt = JSON.parse(JSON.stringify(statefulSet).replace('periodSeconds', 'periodSecond')) as unknown;
      assert.deepEqual(await unknown(misspelt), ['spec.template.spec.containers.1.startupProbe.periodSecond']);
    });
  });
});

/** Paths of what is in `whole` and not, or otherwise, in `part`. */
function lacking(whole: unknown, part: unknown, path: readonly string[] = []): string[] {
  if (typeof whole !== 'object' || whole === null) return whole === part ? [] : [path.join('.')];
  if (typeof part !== 'object' || part === null) return [path.join('.')];
  const there = new Map(Object.entries(part) as [string, unknown][]);
  return Object.entries(whole).flatMap(([key, value]) => lacking(value, there.get(key), [...path, key]));
}
