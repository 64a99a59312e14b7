import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createCertificates, issueCertificate } from '../support/certificates.js';
import { openRaw } from '../support/clients/raw-connection.js';
import { type Prometheus, startPrometheus } from '../support/cluster/prometheus.js';
import { freePort } from '../support/processes/ports.js';
import { skipReason } from '../support/processes/programs.js';
import { type Service, startService } from '../support/processes/service.js';
import { type Workspace, createWorkspace } from '../support/processes/workspace.js';
import { eventually } from '../support/time/wait.js';
import { type ScriptedEtcd, startScriptedEtcd } from '../support/upstreams/etcd.js';
import {
  type Behaviour,
  type Upstream,
  answering,
  routeOf,
  silent,
  startUpstream,
} from '../support/upstreams/upstream.js';
import { PRIMARY_MEMBER } from '../support/witness/facts.js';

const SYSTEM = '7000000000000000001';
/** Longer than this test takes. */
const LOOK_BACK_S = 300;
const TIMINGS = { ttl: 30, loop_wait: 10, retry_timeout: 10 };

interface Target {
  readonly expr: string;
  readonly legendFormat: string;
}

interface Dashboard {
  readonly annotations: {
    readonly list: readonly {
      readonly target: { readonly expr: string };
      readonly titleFormat: string;
      readonly textFormat: string;
    }[];
  };
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly query: { readonly query?: string } }[];
  };
  readonly panels: readonly { readonly type: string; readonly title: string; readonly targets: readonly Target[] }[];
}

/** A scripted Patroni 4.1.4, the primary. */
const primary: Behaviour = (socket, head) => {
  const route = routeOf(head) ?? '';
  const body = {
    ...{ state: 'running', role: 'primary', database_system_identifier: SYSTEM, timeline: 3 },
    ...{ patroni: { version: '4.1.4', scope: 'main', name: 'node1' } },
    dcs_last_seen: Math.floor(new Date().getTime() / 1000),
  };
  const status = ['/primary', '/read-only', '/config'].includes(route) ? 200 : 503;
  answering(status, JSON.stringify(route === '/config' ? TIMINGS : body))(socket, head);
};

describe(
  'the dashboard, asked of a real Prometheus that scrapes patroniglue',
  {
    skip: await skipReason(['prometheus']),
  },
  () => {
    let upstream: Upstream;
    let etcd: ScriptedEtcd;
    let service: Service;
    let prometheus: Prometheus;
    let workspace: Workspace;
    const file = fileURLToPath(new URL('../../../examples/grafana-dashboard.json', import.meta.url));
    const { annotations, templating, panels } = JSON.parse(readFileSync(file, 'utf8')) as Dashboard;

    /** As Grafana asks it, with every cluster and node chosen. */
    const filled = (expr: string): string =>
      expr.replaceAll('$__rate_interval', '5s').replaceAll('$cluster', '.*').replaceAll('$instance', '.*');

    before(async () => {
      workspace = await createWorkspace();
      const dir = await workspace.mkdir('certificates');
      const { ca } = await createCertificates(dir);
      const extensions = ['subjectAltName=IP:127.0.0.1'];
      const { cert, key } = await issueCertificate(dir, 'patroni', { extensions, by: ca });
      upstream = await startUpstream({ tls: { cert: readFileSync(cert), key: readFileSync(key) } });
      upstream.behave(primary);
      etcd = await startScriptedEtcd();
      etcd.lease('7', TIMINGS.ttl, TIMINGS.ttl);
      etcd.put('/service/main/leader', 'node1', '7');
      etcd.put('/service/main/members/node1', JSON.stringify(PRIMARY_MEMBER), '7');
      etcd.put('/service/main/config', JSON.stringify(TIMINGS));
      etcd.put('/service/main/initialize', SYSTEM);
      const agentPort = await freePort();
      const backend = { host: '127.0.0.1', port: upstream.port, scheme: 'https', cafile: ca.cert };
      const witness = {
        key: '/service/main',
        name: 'node1',
        postgres: 'none',
        etcd3: { hosts: [`127.0.0.1:${etcd.port}`] },
      };
      const config = { backend, agent: { port: agentPort }, cache: { ttl: 2, interval: 0.25 }, witness };
      service = await startService({ config });
      const scraped = { job: 'patroniglue', path: '/-/metrics', labels: { cluster: 'main' } };
      prometheus = await startPrometheus([service.port], scraped);

      const isSeen = (expression: string): Promise<true> =>
        eventually(`Prometheus has ${expression}`, 20_000, async () => {
          await service.get('/primary'); // a check, too
          const agent = await openRaw(agentPort, false);
          agent.send('/primary\n');
          await agent.ended;
          return (await prometheus.series(expression)).length > 0;
        });
      await isSeen('patroniglue_snapshot_fresh{route="/primary"} == 1 and on () patroniglue_witness_up == 1');
      upstream.behave(silent);
      await isSeen('patroniglue_witness_active == 1 and on () patroniglue_witness_checks_total > 0');
      etcd.behave(silent);
      await isSeen('patroniglue_snapshot_fresh{route="/primary"} == 0');
    });
    after(async () => {
      await prometheus.close();
      await service.close();
      await etcd.close();
      await upstream.close();
      await workspace.close();
    });

    for (const { title, targets } of panels) {
      for (const { expr, legendFormat } of targets) {
        it(`has data for the panel "${title}"${legendFormat === '' ? '' : `, ${legendFormat}`}`, async () => {
          await eventually(
            'data',
            20_000,
            async () => (await prometheus.lastSeconds(filled(expr), LOOK_BACK_S)).length > 0,
          );
          assertNamed(legendFormat, await prometheus.lastSeconds(filled(expr), LOOK_BACK_S));
        });
      }
    }

    it('marks the freeze, although it is the first change of its kind since the start', async () => {
      const [annotation] = annotations.list;
      assert.ok(annotation);
      const marked = await prometheus.lastSeconds(filled(annotation.target.expr), LOOK_BACK_S);
      assert.ok(marked.map(({ labels }) => labels['to']).includes('stale'), JSON.stringify(marked));
      assertNamed(annotation.titleFormat + annotation.textFormat, marked);
    });

    it('has values for its variables', async () => {
      const asked = templating.list.flatMap(({ query: { query = '' } }) => [
        ...query.matchAll(/^label_values\((.+), (\w+)\)$/g),
      ]);
      const values = await Promise.all(
        asked.map(([, metric = '', label = '']) => prometheus.valuesOf(filled(metric), label)),
      );
      assert.deepEqual(values, [['main'], [`127.0.0.1:${service.port}`]]);
    });

    it('has the right figures: a frozen primary, whose witness is frozen, too', async () => {
      const figures = panels
        .filter(({ type }) => type === 'stat')
        .map(({ title, targets: [first] }) => [title, first] as const);
      const shown = await Promise.all(
        figures.map(async ([title, first]) => {
          const [series] = await prometheus.series(filled(first?.expr ?? ''));
          return [title, series?.values[0]];
        }),
      );
      assert.deepEqual(Object.fromEntries(shown), {
        ...{ 'Clusters without a primary': '1', 'Clusters with one primary': '0', 'Clusters with two primaries': '0' },
        ...{
          'Frozen Patronis': '1',
          'Unsafe cache.ttl': '0',
          'Refused reloads, 24 h': '0',
          'Nodes that nobody asks': '0',
        },
        Versions: '1',
      });
    });

    /** Each label that a legend names is there, or the legend would have a hole. */
    function assertNamed(
      legend: string,
      series: readonly { readonly labels: Readonly<Record<string, string>> }[],
    ): void {
      const names = Array.from(legend.matchAll(/\{\{(\w+)\}\}/g), ([, name = '']) => name);
      for (const { labels } of series) {
        assert.deepEqual(
          names.filter((name) => !(name in labels)),
          [],
          `${legend} of ${JSON.stringify(labels)}`,
        );
      }
    }
  },
);
