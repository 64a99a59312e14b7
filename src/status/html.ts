import { describeRecording } from '../flight-recorder/describe.js';
import { DEAD_ICON, headHtml, iconOf, replyTo, titleOf } from './head-html.js';
import type {
  ChangeReport,
  ClusterReport,
  MemberReport,
  PastPoll,
  RouteReport,
  StatusReport,
  WitnessReport,
} from './types.js';
import { escaped, size, span, time } from './words.js';

/** The whole page. It is complete without JavaScript: the script only keeps the page up to date. */
export function statusPage(report: StatusReport): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(titleOf(report))}</title>
<link rel="icon" href="${iconOf(report)}" data-dead="${DEAD_ICON}">
<link rel="stylesheet" href="/-/status.css">
<noscript><meta http-equiv="refresh" content="5"></noscript>
<script src="/-/status.js" defer></script>
</head>
<body>
<p id="said" class="unseen" role="status"></p>
<p id="live">as of ${time(report.at, report.at)} UTC</p>
<main>${statusMain(report)}</main>
<footer>patroniglue ${escaped(report.version)} · times are in <span id="zone">UTC</span> · <a href="/-/runbook">When Patroni is frozen</a> · <a href="/-/status.json">JSON</a> · <a href="/-/metrics">metrics</a></footer>
</body>
</html>
`;
}

/** The part of the page that changes: the content of `main`. */
export function statusMain(report: StatusReport): string {
  const { warnings, routes, cluster, changes, 'learned-changes': learnedChanges, at } = report;
  const noPlaceFor = report['no-place-for-cluster'];
  const learned = routes.filter((route) => route.learned);
  const learnedPart =
    learned.length + learnedChanges.length === 0
      ? []
      : [
          `<details id="learned"><summary id="learned-summary">${learned.length} learned ${learned.length === 1 ? 'route' : 'routes'}, polled because a client or this page asks</summary>
${learned.length === 0 ? '' : routeTable(learned, at)}
${changeList('learned-changes', learnedChanges, at)}</details>`,
        ];
  return [
    headHtml(report),
    ...(warnings.length === 0
      ? []
      : [section('warnings', 'Warnings', `<ul class="warnings">${list(warnings.map(escaped))}</ul>`)]),
    ...(cluster ? [clusterPart(cluster, at)] : []),
    ...(noPlaceFor === undefined
      ? []
      : [
          section(
            'cluster',
            'The cluster',
            `<p>Not known: patroniglue has learned ${noPlaceFor} ${noPlaceFor === 1 ? 'route' : 'routes'}, and <code>cache.learn</code> leaves no place for <code>/cluster</code>.</p>`,
          ),
        ]),
    nodePart(report),
    section(
      'routes',
      'Routes',
      routeTable(
        routes.filter((route) => !route.learned),
        at,
      ),
    ),
    ...learnedPart,
    section('changed', 'Changes', changeList('changes', changes, at)),
    ...recordingPart(report),
    ownPart(report),
  ].join('\n');
}

/** Each section has an ID: so the script knows it, when another section appears before it. */
const section = (id: string, heading: string, html: string): string =>
  `<section id="${id}"><h2>${heading}</h2>${html}</section>`;
const list = (items: readonly string[]): string => items.map((item) => `<li>${item}</li>`).join('');
const facts = (pairs: readonly (readonly [name: string, html: string])[]): string =>
  `<dl>${pairs.map(([name, html]) => `<div><dt>${escaped(name)}</dt><dd>${html}</dd></div>`).join('')}</dl>`;

/** A table; narrow screens show the name of a column before each value. */
function table(columns: readonly string[], rows: readonly string[]): string {
  const head = columns.map((column) => `<th scope="col">${column}</th>`).join('');
  return `<table><thead><tr>${head}</tr></thead>\n<tbody>${rows.join('\n')}</tbody></table>`;
}

const cell = (column: string, html: string): string => `<td data-label="${column}">${html}</td>`;

const LINK_COLUMN = 'status page, if it is at the same port';

function clusterPart(cluster: ClusterReport, today: string): string {
  const outOfDate = cluster.fresh ? '' : ', out of date';
  const heading = `The cluster, as Patroni said at ${time(cluster.at, today)}${outOfDate}`;
  const linkColumn = cluster.members.some(({ page }) => page !== undefined) ? LINK_COLUMN : undefined;
  const columns = ['member', 'role', 'state', 'timeline', 'lag', ...(linkColumn === undefined ? [] : [linkColumn])];
  return section(
    'cluster',
    heading,
    table(
      columns,
      cluster.members.map((member) => memberRow(member, linkColumn)),
    ),
  );
}

function memberRow(member: MemberReport, linkColumn: string | undefined): string {
  const { name, role, state, timeline, lag, page } = member;
  const shown = (value: string | number | undefined): string => (value === undefined ? '' : escaped(String(value)));
  const link =
    page === undefined ? '' : `<a href="${escaped(page)}" rel="noreferrer">${escaped(new URL(page).host)}</a>`;
  return `<tr><th scope="row">${escaped(name)}${member['this-node'] ? ' <small>this node</small>' : ''}</th>
${cell('role', shown(role))}${cell('state', shown(state))}${cell('timeline', shown(timeline))}${cell('lag', typeof lag === 'number' ? size(lag) : shown(lag))}${linkColumn === undefined ? '' : cell(linkColumn, link)}</tr>`;
}

function nodePart({ node, 'node-asked': asked, witness, at }: StatusReport): string {
  const who = witness?.active === true ? 'the witness' : 'Patroni';
  if (asked === undefined) {
    const nothing =
      witness?.['member-key'] === false
        ? 'The key of the node in etcd has expired: all of Patroni is frozen or has stopped, not its API alone.'
        : 'Nothing yet.';
    return section('node', `What ${who} says about the node`, `<p>${nothing}</p>`);
  }
  const said = Object.entries(node).map(([name, value]) => [name, escaped(String(value))] as const);
  return section('node', `What ${who} said about the node at ${time(asked.at, at)}`, facts(said));
}

/** The evidence of the last freeze. It is for the runbook, so it is folded. */
function recordingPart({ 'flight-recording': recording, at }: StatusReport): readonly string[] {
  if (recording === undefined) return [];
  const text = escaped(describeRecording(recording));
  const json = escaped(JSON.stringify(recording, undefined, 2));
  return [
    section(
      'recorded',
      'When Patroni last stopped answering',
      `<details id="recording"><summary id="recording-summary">${time(recording.at, at)} ${text}</summary><pre>${json}</pre></details>`,
    ),
  ];
}

/** About this patroniglue itself. */
function ownPart({
  upstream,
  started,
  'uptime-ms': uptimeMs,
  reload,
  certificates,
  witness,
  at,
}: StatusReport): string {
  const leftMs = (ends: string): number => Date.parse(ends) - Date.parse(at);
  return section(
    'own',
    'This patroniglue',
    facts([
      ['polls Patroni at', `<code>${escaped(upstream)}</code>`],
      ...(witness ? [['witness (etcd)', witnessWords(witness)] as const] : []),
      ['runs since', `${time(started, at)} (${span(uptimeMs)})`],
      ...(reload
        ? [
            [
              'last reload',
              `${time(reload.at, at)} <span${reload.result === 'refused' ? ' class="warn"' : ''}>${reload.result}</span>: ${escaped(reload.text)}`,
            ] as const,
          ]
        : []),
      ...certificates.map(
        ({ certificate, ends }) =>
          [
            `certificate ${certificate}`,
            leftMs(ends) < 0
              ? `<span class="warn">expired ${time(ends, at)}</span>`
              : `ends ${time(ends, at)}, in ${span(leftMs(ends))}`,
          ] as const,
      ),
    ]),
  );
}

function witnessWords({ state, message = '', active }: WitnessReport): string {
  const said = {
    'not-compared': 'not compared with Patroni yet',
    agrees: 'agrees with Patroni',
    doubted: 'is compared with Patroni again',
    contradicts: `not used: ${message}`,
    unreachable: `cannot be read: ${message}`,
  }[state];
  const isOff = state === 'contradicts' || state === 'unreachable';
  return `<span${isOff ? ' class="warn"' : ''}>${escaped(said)}</span>${active ? ', answers checks now' : ''}`;
}

function routeTable(routes: readonly RouteReport[], today: string): string {
  const columns = ['reply to checks', 'age of the answer', 'last check', 'polls', 'last failure'];
  return table(
    columns,
    routes.map((route) => routeRow(route, today)),
  );
}

function routeRow(report: RouteReport, today: string): string {
  const { state, reason, polls, 'last-check': check, 'last-failure': failure } = report;
  const by = report.witness === undefined ? '' : ` <small>by the witness: ${escaped(report.witness)}</small>`;
  const why = state === 'fresh' ? by : ` <small>${escaped(reason ?? state)}</small>`;
  return `<tr class="${state}"><th scope="row">${replyTo(report)}${why}</th>
${cell('age of the answer', ageBar(report))}
${cell('last check', check ? `${span(check['ago-ms'])} ago <small>by ${escaped(check.from ?? 'a client that has left')}</small>` : 'none yet')}
${cell('polls', sparkline(polls))}
${cell('last failure', failure === undefined ? 'none' : `${time(failure.at, today)} ${escaped(failure.text)}`)}</tr>`;
}

function ageBar(report: RouteReport): string {
  const { 'age-ms': ageMs, 'ttl-ms': ttlMs, state } = report;
  if (ageMs === undefined) return 'no answer yet';
  const shown = Math.min(ageMs, ttlMs);
  const ended = report['by-lease-guard'] ? 'ended by the lease guard' : 'expired';
  const words = `${(ageMs / 1000).toFixed(1)} s of ${ttlMs / 1000} s`;
  return `<progress max="${ttlMs}" value="${shown}" data-age="${ageMs}" aria-hidden="true"></progress> <span class="age">${words}${state === 'stale' ? `, ${ended}` : ''}</span>`;
}

const [SPARK_WIDTH, SPARK_HEIGHT] = [120, 24];

/**
 * How long polls took, as a line; the longest poll has the full height. A vertical mark shows a failed poll. The words beside it
 * say the same to a screen reader.
 */
function sparkline(polls: readonly PastPoll[]): string {
  if (polls.length === 0) return 'none yet';
  const longestMs = Math.max(...polls.map(({ tookMs }) => tookMs), 1);
  const x = (index: number): string => (SPARK_WIDTH - polls.length + index + 0.5).toFixed(1);
  const y = (tookMs: number): string => (SPARK_HEIGHT - 1 - (tookMs / longestMs) * (SPARK_HEIGHT - 2)).toFixed(1);
  const line = polls.map(({ tookMs }, index) => `${x(index)},${y(tookMs)}`).join(' ');
  const failed = polls.flatMap(({ answered }, index) => (answered ? [] : [`M${x(index)} 0V${SPARK_HEIGHT}`])).join('');
  const lastMs = polls.at(-1)?.tookMs ?? 0;
  const failures = polls.filter(({ answered }) => !answered).length;
  const words = `last ${lastMs} ms, longest ${longestMs} ms${failures === 0 ? '' : `, ${failures} of ${polls.length} failed`}`;
  return `<svg viewBox="0 0 ${SPARK_WIDTH} ${SPARK_HEIGHT}" aria-hidden="true"><path class="failed" d="${failed}"/><polyline points="${line}"/></svg> <small>${words}</small>`;
}

function changeList(id: string, changes: readonly ChangeReport[], today: string): string {
  if (changes.length === 0) return '<p>None yet.</p>';
  return `<ol id="${id}">${list(changes.map(({ at, text }) => `${time(at, today)} ${escaped(text)}`))}</ol>`;
}
