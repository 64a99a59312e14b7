import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments, stringify } from 'yaml';
import { parseConfig } from '../../src/config.js';
import { ask } from '../support/http-get.js';
import { freePort } from '../support/ports.js';
import { run, startProcess } from '../support/processes.js';
import { type Upstream, startUpstream } from '../support/upstream.js';
import { eventually, within } from '../support/wait.js';
import { type Workspace, createWorkspace } from '../support/workspace.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8').replaceAll('\\\n', ' ');

/** The instructions of one name, in their order, without it. */
function instructions(name: string): string[] {
  const lines = dockerfile.split('\n').map((line) => line.trim());
  return lines.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1).trim());
}

const listed = (name: string): string[] => JSON.parse(instructions(name).at(-1) ?? '[]') as string[];

/**
 * There may be no container engine here, and no registry. So the instructions are followed by hand: files copied, commands run,
 * the result started by its entry point and asked by its health check. The base image itself is not tested.
 */
describe('the Dockerfile, followed by hand', () => {
  let workspace: Workspace;
  let upstream: Upstream;
  let app: string;
  before(async () => {
    workspace = await createWorkspace();
    upstream = await startUpstream();
    app = await workspace.mkdir('app');
  });
  after(async () => {
    await workspace.close();
    await upstream.close();
  });

  it('builds', { timeout: 300_000 }, async () => {
    const [build = ''] = dockerfile.split(/^FROM .*\n/m).slice(1);
    const env = Object.fromEntries(
      Object.entries(process.env).filter((entry): entry is [string, string] => !!entry[1]),
    );
    for (const line of build.split('\n')) {
      const [instruction = '', ...words] = line.trim().split(/\s+/);
      if (instruction === 'RUN')
        await run(words.join(' '), '/bin/sh', ['-c', words.join(' ')], { env, cwd: app, deadlineMs: 120_000 });
      if (instruction !== 'COPY') continue;
      for (const source of words.slice(0, -1)) {
        const target =
          words.length > 2 ? join(app, source) : join(app, words.at(-1) ?? '', source.includes('.') ? source : '');
        mkdirSync(dirname(target), { recursive: true });
        cpSync(join(root, source), target, { recursive: true });
      }
    }
  });

  it('starts by its entry point, and is healthy while it answers', async () => {
    const port = await freePort();
    const config = { frontend: { host: '127.0.0.1', port }, backend: { host: '127.0.0.1', port: upstream.port } };
    const file = await workspace.write('container.yml', stringify(config));
    const [, ...entry] = listed('ENTRYPOINT');
    assert.deepEqual(listed('CMD'), ['--config', '/etc/patroniglue/config.yml']);
    const service = await startProcess('patroniglue', process.execPath, [...entry, '--config', file], {
      env: {},
      cwd: app,
    });
    const health = async (): Promise<number | null> => {
      const [, check = ''] = /CMD (\[.*\])$/.exec(instructions('HEALTHCHECK')[0] ?? '') ?? [];
      const [, ...args] = JSON.parse(check) as string[];
      const env = { PATRONIGLUE_HEALTHY: `http://127.0.0.1:${port}/-/healthy` };
      const probe = await startProcess('the health check', process.execPath, args, { env });
      return (await within('it ends', 10_000, probe.exit)).code;
    };
    await eventually('it answers', 10_000, async () => (await ask(port, '/primary')).status === 200);
    assert.equal(await health(), 0);
    service.signal('SIGTERM');
    assert.equal((await within('it ends', 5000, service.exit)).code, 0);
    assert.equal(await health(), 1);
  });

  it('runs as nobody, by a number', () => {
    assert.match(instructions('USER').join(), /^[1-9]\d*:[1-9]\d*$/);
  });
});

interface Container {
  readonly name: string;
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

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
    for (const { httpGet } of [container.livenessProbe, container.readinessProbe]) {
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
});
