import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { formatDate } from '../../src/certificates/validity.js';
import { createCertificates, issueCertificate } from '../support/certificates.js';
import { freePort } from '../support/processes/ports.js';
import { run } from '../support/processes/processes.js';
import { findProgram, skipReason } from '../support/processes/programs.js';
import { checkMetrics } from '../support/cluster/prometheus.js';
import { openRaw } from '../support/clients/raw-connection.js';
import { type Service, startService } from '../support/processes/service.js';
import { type Upstream, answering, silent, startUpstream } from '../support/upstreams/upstream.js';
import { eventually } from '../support/time/wait.js';
import { type Workspace, createWorkspace } from '../support/processes/workspace.js';

const example = (name: string): string => fileURLToPath(new URL(`../../../examples/${name}`, import.meta.url));

interface Rules {
  readonly groups: readonly [{ readonly rules: readonly { readonly alert: string; readonly expr: string }[] }];
}

interface AlertTests {
  readonly tests: readonly {
    readonly alert_rule_test?: readonly { readonly alertname: string; readonly exp_alerts?: readonly unknown[] }[];
  }[];
}

interface Dashboard {
  readonly annotations: { readonly list: readonly { readonly target: { readonly expr: string } }[] };
  readonly panels: readonly {
    readonly type: string;
    readonly title: string;
    readonly targets: readonly { readonly expr: string }[];
  }[];
}

describe('what Prometheus is told', { skip: await skipReason(['curl', 'promtool']) }, () => {
  let upstream: Upstream;
  let service: Service;
  let workspace: Workspace;
  let page: string;
  const endsAtMs = Math.ceil(new Date().getTime() / 1000) * 1000 + 2 * 86_400_000; // near for a life of ten days, and not very near
  const rules = (parse(readFileSync(example('prometheus-alerts.yml'), 'utf8')) as Rules).groups[0].rules;
  const dashboard = JSON.parse(readFileSync(example('grafana-dashboard.json'), 'utf8')) as Dashboard;
  const promtool = async (...args: string[]): Promise<void> => {
    await run(`promtool ${args.join(' ')}`, findProgram('promtool'), args, { env: {} });
  };

  before(async () => {
    workspace = await createWorkspace();
    const dir = await workspace.mkdir('certificates');
    const { ca } = await createCertificates(dir);
    const [extensions, to] = [['subjectAltName=IP:127.0.0.1'], new Date(endsAtMs)];
    const { cert, key } = await issueCertificate(dir, 'patroni', {
      extensions,
      by: ca,
      to,
      from: new Date(endsAtMs - 10 * 86_400_000),
    });
    upstream = await startUpstream({ tls: { cert: readFileSync(cert), key: readFileSync(key) } });
    const agentPort = await freePort();
    const backend = { host: '127.0.0.1', port: upstream.port, scheme: 'https', cafile: ca.cert };
    const etcd3 = { hosts: [`127.0.0.1:${await freePort()}`] }; // nobody is there
    const witness = { key: '/service/main', name: 'node1', postgres: 'none', etcd3 };
    service = await startService({
      config: { backend, agent: { port: agentPort }, cache: { ttl: 0.4, interval: 0.1 }, witness },
    });
    // Something of everything: answers, an agent check, a learned route with a query, failures, what is none, Patroni's timings.
    await eventually('answers', 5000, async () => (await service.get('/-/ready')).status === 200);
    await service.get('/replica?lag=10MB');
    await service.get('/nowhere');
    const agent = await openRaw(agentPort, false);
    agent.send('/primary\n');
    await agent.ended;
    upstream.behave(silent);
    await eventually('stale', 5000, async () => (await service.get('/primary')).status === 503);
    upstream.behave(answering(200, '{"ttl": 30, "patroni": {"version": "4.0.8"}}'));
    upstream.cut(); // what hangs is never answered
    service.signal('SIGHUP');
    await eventually('the safe ttl is known', 5000, async () => {
      const reply = await service.get('/-/metrics');
      page = reply.kind === 'reply' ? reply.body : '';
      return page.includes('\npatroniglue_cache_ttl_safe_seconds 10\n');
    });
  });
  after(async () => {
    await service.close();
    await upstream.close();
    await workspace.close();
  });

  /** Metrics in an expression that are not on the page. One that has no value is there by its type. */
  function unknownIn(expression: string): string[] {
    const names = expression.match(/\b(?:patroniglue|process)_\w+/g) ?? [];
    return names.filter((name) => !new RegExp(`^(?:# TYPE )?${name}[ {]`, 'm').test(page));
  }

  it('is named by its conventions: promtool has nothing to say', async () => {
    assert.deepEqual(await checkMetrics(service.port, '/-/metrics'), { code: 0, complaints: '' });
  });

  it("is when Patroni's certificate ends, which the log and the status page warn of", async () => {
    assert.ok(
      page.includes(`\npatroniglue_certificate_expiry_timestamp_seconds{certificate="patroni"} ${endsAtMs / 1000}\n`),
    );
    assert.match(page, /^patroniglue_certificate_expiry_timestamp_seconds\{certificate="ca"\} \d+$/m);
    const warning = `Patroni's certificate ends on ${formatDate(endsAtMs)}, in less than `;
    assert.equal(service.output().split(warning).length - 1, 1, service.output());
    const status = await service.get('/-/status.json');
    assert.ok(status.kind === 'reply' && status.body.includes(warning));
  });

  it('is enough for the alerts, which promtool takes, and each of which has its tests', async () => {
    await promtool('check', 'rules', example('prometheus-alerts.yml'));
    await promtool('test', 'rules', example('prometheus-alerts.test.yml'));
    const { tests } = parse(readFileSync(example('prometheus-alerts.test.yml'), 'utf8')) as AlertTests;
    const cases = tests.flatMap(({ alert_rule_test = [] }) => alert_rule_test);
    for (const { alert, expr } of rules) {
      assert.deepEqual(unknownIn(expr), [], alert);
      const fired = cases
        .filter(({ alertname }) => alertname === alert)
        .map(({ exp_alerts = [] }) => exp_alerts.length > 0);
      assert.deepEqual(new Set(fired), new Set([true, false]), `${alert}: once it is seen to be quiet, once to fire`);
    }
  });

  const plain = (expr: string): string =>
    expr.replaceAll('$__rate_interval', '1m').replaceAll('$cluster', '.*').replaceAll('$instance', '.*');

  it('is enough for the dashboard, whose expressions promtool takes', async () => {
    const expressions = [
      ...dashboard.annotations.list.map(({ target }) => target),
      ...dashboard.panels.flatMap(({ targets }) => targets),
    ];
    assert.ok(expressions.length > 20);
    const records = expressions.map(({ expr }, index) => ({ record: `panel:${index}`, expr: plain(expr) }));
    for (const { expr } of records) assert.deepEqual(unknownIn(expr), []);
    const file = await workspace.write('panels.yml', JSON.stringify({ groups: [{ name: 'panels', rules: records }] }));
    await promtool('check', 'rules', file);
  });

  it('makes the figures of the dashboard right: of clusters with no, one and two primaries, and a standby cluster', async () => {
    const rules = dashboard.panels
      .filter(({ type }) => type === 'stat')
      .map(({ targets: [first] }, index) => ({ record: `panel:${index}`, expr: plain(first?.expr ?? '') }));
    const rulesFile = await workspace.write('stats.yml', JSON.stringify({ groups: [{ name: 'stats', rules }] }));
    const series = (metric: string, cluster: string, instance: string, values: string, labels = ''): object => ({
      series: `${metric}{job="patroniglue",cluster="${cluster}",instance="${instance}"${labels}}`,
      values: `${values}x40`,
    });
    const node = (cluster: string, instance: string, status: number, fresh: number, asked = 1): object[] => [
      series('patroniglue_snapshot_fresh', cluster, instance, `${fresh}`, ',route="/primary"'),
      ...(status === 0
        ? []
        : [series('patroniglue_snapshot_status', cluster, instance, `${status}`, ',route="/primary"')]),
      series('patroniglue_last_check_age_seconds', cluster, instance, `${asked}`, ',route="/primary"'),
      series('patroniglue_last_check_age_seconds', cluster, instance, '1', ',route="/metrics"'),
      series('patroniglue_patroni_frozen_seconds', cluster, instance, fresh === 1 ? '0' : '40'),
      series('patroniglue_cache_ttl_seconds', cluster, instance, '4'),
      series('patroniglue_cache_ttl_safe_seconds', cluster, instance, instance === 'b1' ? '3' : '10'),
      series('patroniglue_build_info', cluster, instance, '1', ',version="1.0.0"'),
      series('patroniglue_standby_cluster', cluster, instance, cluster === 'standby' ? '1' : '0'),
    ];
    const input_series = [
      ...[...node('one', 'a1', 200, 1), ...node('one', 'a2', 503, 1)],
      ...[...node('none', 'b1', 200, 0, 90), ...node('none', 'b2', 503, 1)],
      ...[...node('pending', 'c1', 0, 0), ...node('standby', 'd1', 503, 1)],
      ...[...node('two', 'e1', 200, 1), ...node('two', 'e2', 200, 1)],
      { series: 'patroniglue_reloads_total{cluster="one",instance="a1",result="refused"}', values: '0x20 1x20' },
    ];
    // without a primary, one, two, frozen, unsafe, refused, not asked, versions
    const expected = [2, 1, 1, 2, 1, 1, 1, 8];
    const promql_expr_test = expected.map((value, index) => ({
      ...{ expr: `sum(panel:${index})`, eval_time: '9m' },
      exp_samples: [{ labels: '{}', value }],
    }));
    const tests = [{ interval: '15s', input_series, promql_expr_test }];
    const file = await workspace.write(
      'stats.test.yml',
      JSON.stringify({ rule_files: [rulesFile], evaluation_interval: '15s', tests }),
    );
    await promtool('test', 'rules', file);
  });
});
