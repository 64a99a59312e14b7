/** The nodes that the variables of the dashboard choose. */
const NODES = 'cluster=~"$cluster",instance=~"$instance"';

/** A metric of the chosen nodes: `of('patroniglue_polls_total', 'outcome="refused"')`. */
const of = (metric: string, labels = ''): string => `${metric}{${NODES}${labels === '' ? '' : `,${labels}`}}`;
const rate = (metric: string, labels = ''): string => `rate(${of(metric, labels)}[$__rate_interval])`;
const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };

/** What each node answers to /primary: the status while it is fresh, otherwise 0. */
const REPLY =
  `${of('patroniglue_snapshot_status', 'route="/primary"')} * ` + of('patroniglue_snapshot_fresh', 'route="/primary"');

/** How many nodes of each cluster answer 200 to /primary: 0 as well. Standby clusters have none, and are left out. */
const PRIMARIES =
  `(sum by (cluster) ((${REPLY}) == bool 200) or sum by (cluster) (0 * ${of('patroniglue_snapshot_fresh', 'route="/primary"')})) ` +
  `unless max by (cluster) (${of('patroniglue_standby_cluster')}) == 1`;

/** Routes that load balancers act on, as in the alert PatroniglueNobodyAsks. */
const DECIDING = 'route!~"/(health|readiness|liveness|patroni|cluster|history|config|metrics)([?].*)?"';

interface Panel {
  readonly title: string;
  readonly description: string;
  readonly type: 'stat' | 'state-timeline' | 'timeseries';
  /** Expressions with their legends. */
  readonly shows: readonly (readonly [expr: string, legend: string])[];
  readonly w: number;
  readonly h: number;
  readonly defaults?: object;
  readonly options?: object;
}

const steps = (first: string, ...others: readonly (readonly [from: number, colour: string])[]): object => ({
  color: { mode: 'thresholds' },
  thresholds: {
    mode: 'absolute',
    steps: [{ value: null, color: first }, ...others.map(([value, color]) => ({ value, color }))],
  },
});

/** A figure: its colour from 1 on, if it counts something that should not be. */
const figure = (title: string, expr: string, description: string, colour?: string): Panel => ({
  ...{ title, description, type: 'stat', shows: [[expr, '']], w: 3, h: 4 },
  defaults: { ...(colour === undefined ? steps('green') : steps('green', [1, colour])), decimals: 0 },
  options: { colorMode: 'background_solid', graphMode: 'none', reduceOptions: { calcs: ['lastNotNull'] } },
});

const count = (expr: string): string => `count(${expr}) or vector(0)`;

/** From the field of a node to its own pages, at the address that Prometheus scrapes. */
const LINKS = [
  ['Status page of this node', '/-/status'],
  ['Runbook: when Patroni is frozen', '/-/runbook'],
].map(([title, path]) => ({ title, url: `\${scheme}://\${__field.labels.instance}${path}`, targetBlank: true }));

const values = (words: Readonly<Record<string, readonly [text: string, color: string]>>): object => ({
  type: 'value',
  options: Object.fromEntries(Object.entries(words).map(([value, [text, color]]) => [value, { text, color }])),
});

const timeline = (
  title: string,
  description: string,
  show: Panel['shows'][number],
  mappings: object[],
  rows: number,
): Panel => ({
  ...{ title, description, type: 'state-timeline', shows: [show], w: 24, h: rows > 20 ? 16 : 9 },
  defaults: { mappings, custom: { fillOpacity: 80, lineWidth: 0 } },
  options: { showValue: 'never', mergeValues: true, rowHeight: 0.9, perPage: rows },
});

const graph = (title: string, unit: string, description: string, ...shows: Panel['shows']): Panel => ({
  ...{ title, description, type: 'timeseries', shows, w: 12, h: 8 },
  defaults: { unit },
});

const third = (panel: Panel): Panel => ({ ...panel, w: 8 });

const PANELS: readonly Panel[] = [
  figure(
    'Clusters without a primary',
    count(`(${PRIMARIES}) == 0`),
    'No node answers 200 to /primary: clients cannot write. Standby clusters do not count. Alert: PatroniClusterWithoutPrimary.',
    'red',
  ),
  figure('Clusters with one primary', count(`(${PRIMARIES}) == 1`), 'As it should be.'),
  figure(
    'Clusters with two primaries',
    count(`(${PRIMARIES}) > 1`),
    'Two nodes answer 200 to /primary. Usual for a second in a switchover. Alert: PatroniClusterWithTwoPrimaries.',
    'purple',
  ),
  figure(
    'Frozen Patronis',
    count(`${of('patroniglue_patroni_frozen_seconds')} > 0`),
    'They accept connections and answer no poll. Alerts: PatroniFrozen, PatroniFrozenButServed. See the runbook.',
    'red',
  ),
  figure(
    'Unsafe cache.ttl',
    count(`${of('patroniglue_cache_ttl_seconds')} > ${of('patroniglue_cache_ttl_safe_seconds')}`),
    'Nodes whose cache.ttl is over what the timings of Patroni allow. Alert: PatroniglueTtlUnsafe.',
    'red',
  ),
  figure(
    'Refused reloads, 24 h',
    `sum(ceil(increase(${of('patroniglue_reloads_total', 'result="refused"')}[24h]))) or vector(0)`,
    'Configurations and certificates that were refused: the former ones are in force. The log says why. Alert: PatroniglueReloadRefused.',
    'orange',
  ),
  figure(
    'Nodes that nobody asks',
    count(`min by (cluster, instance) (${of('patroniglue_last_check_age_seconds', DECIDING)}) > 60`),
    'No load balancer has asked for a minute. Alert: PatroniglueNobodyAsks.',
    'orange',
  ),
  {
    ...{ title: 'Versions', description: 'How many nodes run which version of patroniglue.', type: 'stat', w: 3, h: 4 },
    shows: [[`count by (version) (${of('patroniglue_build_info')})`, '{{version}}']],
    defaults: steps('blue'),
    options: { textMode: 'value_and_name', graphMode: 'none', reduceOptions: { calcs: ['lastNotNull'] } },
  },
  timeline(
    'Primaries of each cluster',
    'How many nodes answer 200 to /primary. One row for each cluster, forty on a page. Standby clusters are left out.',
    [PRIMARIES, '{{cluster}}'],
    [
      values({ 0: ['none', 'red'], 1: ['one', 'green'] }),
      { type: 'range', options: { from: 2, to: 99, result: { text: 'two or more', color: 'purple' } } },
    ],
    40,
  ),
  timeline(
    'Replies to checks of /primary, node by node',
    'The status of Patroni, or of the witness, while it is fresh. Not fresh: patroniglue answers with its own 503. A click leads to the page of the node.',
    [REPLY, '{{cluster}} {{instance}}'],
    [values({ 200: ['200', 'green'], 503: ['503', 'blue'], 0: ['not fresh', 'red'] })],
    20,
  ),
  graph(
    'Polls that were answered, by node',
    'reqps',
    'One for each route and cache.interval. Less: polls fail, or Patroni is frozen and spared.',
    [
      `sum by (cluster, instance) (${rate('patroniglue_polls_total', 'outcome="answered"')})`,
      '{{cluster}} {{instance}}',
    ],
  ),
  graph(
    'Polls that failed, by node and reason',
    'reqps',
    'Why a poll failed: docs/operations.md. Alert: PatroniPollsFail.',
    [
      `sum by (cluster, instance, outcome) (${rate('patroniglue_polls_total', 'outcome!="answered"')}) > 0`,
      '{{cluster}} {{instance}}: {{outcome}}',
    ],
  ),
  graph(
    'Age of the answers',
    's',
    'The oldest answer of each node. A saw-tooth up to cache.interval; at cache.ttl, checks get 503.',
    [`max by (cluster, instance) (${of('patroniglue_snapshot_age_seconds', DECIDING)})`, '{{cluster}} {{instance}}'],
    [`min(${of('patroniglue_cache_ttl_seconds')})`, 'cache.ttl'],
  ),
  graph(
    'Time that polls take',
    's',
    'Of all chosen nodes. If it grows towards backend.timeout, Patroni will soon freeze.',
    [`histogram_quantile(0.5, sum by (le) (${rate('patroniglue_poll_duration_seconds_bucket')}))`, 'median'],
    [`histogram_quantile(0.99, sum by (le) (${rate('patroniglue_poll_duration_seconds_bucket')}))`, 'p99'],
  ),
  graph(
    'Checks, by status',
    'reqps',
    'Requests for routes that were answered, and agent checks. None: does the load balancer ask this port?',
    [`sum by (status) (${rate('patroniglue_checks_total')})`, '{{status}}'],
    [`sum by (state) (${rate('patroniglue_agent_checks_total')})`, 'agent checks: {{state}}'],
  ),
  graph(
    'Time since the last check, by node',
    's',
    'Of the route that was asked for last. It should stay below some inter of HAProxy. Alert: PatroniglueNobodyAsks.',
    [`min by (cluster, instance) (${of('patroniglue_last_check_age_seconds', DECIDING)})`, '{{cluster}} {{instance}}'],
  ),
  graph(
    'Changes of the reply to checks',
    'none',
    'By node, route and new reply. Many: load balancers take the node in and out. Alert: PatroniAnswersFlap.',
    [
      `sum by (cluster, instance, route, to) (increase(${of('patroniglue_transitions_total')}[$__rate_interval])) > 0`,
      '{{cluster}} {{instance}} {{route}} {{to}}',
    ],
  ),
  graph('For how long Patroni has been frozen', 's', 'A line only while a Patroni is frozen. Alert: PatroniFrozen.', [
    `${of('patroniglue_patroni_frozen_seconds')} > 0`,
    '{{cluster}} {{instance}}',
  ]),
  {
    ...timeline(
      'The witness',
      'answers: Patroni does not answer, and checks get replies by the witness. No data: the configuration has no witness.',
      [`${of('patroniglue_witness_up')} + 2 * ${of('patroniglue_witness_active')}`, '{{cluster}} {{instance}}'],
      [
        values({
          0: ['cannot be used', 'red'],
          1: ['can be used', 'green'],
          2: ['answers', 'orange'],
          3: ['answers', 'orange'],
        }),
      ],
      20,
    ),
    w: 8,
  },
  {
    ...third(
      graph(
        'Rest of the lease while the witness answers',
        's',
        'A saw-tooth while Patroni’s HA loop renews its lease. A 200 ends ttl - loop_wait - retry_timeout before the lease does.',
        [
          `${of('patroniglue_witness_lease_seconds')} and ${of('patroniglue_witness_active')} == 1`,
          '{{cluster}} {{instance}}',
        ],
      ),
    ),
    h: 9,
  },
  {
    ...third(
      graph(
        'Reads of the witness, and checks that it answers',
        'reqps',
        'Without a freeze, each node reads every 30 s.',
        [`sum by (outcome) (${rate('patroniglue_witness_polls_total')})`, 'reads: {{outcome}}'],
        [`sum by (status) (${rate('patroniglue_witness_checks_total')})`, 'checks: {{status}}'],
      ),
    ),
    h: 9,
  },
  graph(
    'Certificates: days until the end',
    'd',
    'The certificates of each node that end within 90 days. Alerts: PatroniglueCertificateNotRenewed, PatroniglueCertificateEnds.',
    [
      `(${of('patroniglue_certificate_expiry_timestamp_seconds')} - time()) / 86400 < 90`,
      '{{cluster}} {{instance}} {{certificate}}',
    ],
  ),
  graph(
    'Longest delay of the event loop',
    's',
    'p99 of the longest delay in each second. Checks wait for so long. Alert: PatroniglueEventLoopSlow.',
    [
      `histogram_quantile(0.99, sum by (cluster, instance, le) (${rate('patroniglue_event_loop_lag_seconds_bucket')}))`,
      '{{cluster}} {{instance}}',
    ],
  ),
  third(
    graph(
      'Open connections',
      'none',
      'Of clients; at the limit, each new one ends the oldest. Alert: PatroniglueCrowded.',
      [of('patroniglue_open_connections'), '{{cluster}} {{instance}}'],
      [`min(${of('patroniglue_open_connections_limit')})`, 'lowest limit'],
    ),
  ),
  third(
    graph('Resident memory', 'bytes', 'Of each process.', [
      of('process_resident_memory_bytes', 'job="patroniglue"'),
      '{{cluster}} {{instance}}',
    ]),
  ),
  third(
    graph('CPU', 'percentunit', 'Of each process: 1 is a core.', [
      rate('process_cpu_seconds_total', 'job="patroniglue"'),
      '{{cluster}} {{instance}}',
    ]),
  ),
];

/** Panels from left to right, and from top to bottom: a row is as high as its panels, which have the same height. */
function placed(panels: readonly Panel[]): object[] {
  let [x, y, rowHeight] = [0, 0, 0];
  return panels.map(({ title, description, type, shows, w, h, defaults = {}, options = {} }, index) => {
    if (x + w > 24) [x, y] = [0, y + rowHeight];
    const gridPos = { x, y, w, h };
    [x, rowHeight] = [x + w, h];
    const targets = shows.map(([expr, legendFormat], shown) => ({
      ...{ refId: 'ABCDEF'.charAt(shown), datasource: DATASOURCE, expr, legendFormat },
      ...(type === 'stat' && { instant: true }),
    }));
    const isByNode = shows.every(([, legend]) => legend.includes('{{instance}}'));
    const fieldConfig = { defaults: { ...defaults, ...(isByNode && { links: LINKS }) }, overrides: [] };
    return { id: index + 1, title, description, type, datasource: DATASOURCE, gridPos, targets, fieldConfig, options };
  });
}

/** A variable of the dashboard with the values of a label. */
const variable = (name: string, label: string, metric: string): object => ({
  ...{ name, label, type: 'query', datasource: DATASOURCE, refresh: 2, sort: 1 },
  query: { query: `label_values(${metric}, ${name})`, refId: name },
  ...{ includeAll: true, multi: true, allValue: '.*', current: { text: 'All', value: '$__all' } },
});

/** The dashboard for Grafana, as JSON. */
export function dashboardFile(): string {
  const http = { text: 'http', value: 'http', selected: true };
  const dashboard = {
    ...{ title: 'patroniglue', uid: 'patroniglue', schemaVersion: 39, version: 1, editable: true, refresh: '10s' },
    description: 'What load balancers get from each patroniglue, and how the Patroni behind it answers.',
    time: { from: 'now-1h', to: 'now' },
    tags: ['patroni', 'postgresql'],
    annotations: {
      list: [
        {
          ...{ name: 'Replies to /primary change', datasource: DATASOURCE, enable: true, iconColor: 'orange' },
          target: {
            ...{ refId: 'Anno', datasource: DATASOURCE, interval: '60s' },
            expr: `sum by (cluster, instance, to) (increase(${of('patroniglue_transitions_total', 'route="/primary"')}[1m])) > 0`,
          },
          ...{
            titleFormat: '{{instance}}: /primary is {{to}}',
            textFormat: 'cluster {{cluster}}',
            tagKeys: 'cluster,instance',
          },
        },
      ],
    },
    templating: {
      list: [
        { name: 'datasource', label: 'Prometheus', type: 'datasource', query: 'prometheus' },
        variable('cluster', 'Cluster', 'patroniglue_build_info'),
        variable('instance', 'Node', 'patroniglue_build_info{cluster=~"$cluster"}'),
        {
          ...{ name: 'scheme', label: 'Pages by', type: 'custom', query: 'http,https', current: http },
          options: [http, { text: 'https', value: 'https', selected: false }],
        },
      ],
    },
    panels: placed(PANELS),
  };
  return JSON.stringify(dashboard);
}
