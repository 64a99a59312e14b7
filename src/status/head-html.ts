import type { NodeState, RouteReport, StatusReport } from './types.js';
import { escaped, span, time } from './words.js';

/** After a start, the page says so for this long: what happened before is not on it. */
const STARTED_LATELY_MS = 600_000;

/** A dot for the tab of the browser. */
const dot = (colour: string): string => {
  const circle = `<circle cx="8" cy="8" r="7" fill="${colour}"/>`;
  return `data:image/svg+xml,${encodeURIComponent(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">${circle}</svg>`)}`;
};

/** Red is for two things: checks get patroniglue's own 503, because there is no fresh answer; or no node can be the primary. */
const ICONS: Readonly<Record<NodeState, string>> = {
  leader: dot('#2da44e'),
  standby: dot('#218bff'),
  witness: dot('#d4a72c'),
  'no-fresh-answer': dot('#cf222e'),
};

/** The icon of a page that gets no news. */
export const DEAD_ICON = dot('#8c959f');

/** The icon of the page. */
export function iconOf(report: StatusReport): string {
  return ICONS[isWithoutPrimary(report) ? 'no-fresh-answer' : report.state];
}

/** Patroni does not answer, the witness says 503 for the primary, and no other node holds the leader key. */
function isWithoutPrimary({ state, witness, node }: StatusReport): boolean {
  if (state !== 'witness' || witness?.['leader-route']?.status !== 503) return false;
  return witness.leader === null || (witness.leader !== undefined && witness.leader === node.name);
}

/** The title of the page: `node1: primary, /primary 200`. */
export function titleOf(report: StatusReport): string {
  const { node, routes } = report;
  const [first] = routes.filter(({ learned }) => !learned);
  const told = first
    ? `${first.route} ${first.state === 'fresh' ? String(first.status) : `503, ${whyNot(first)}`}`
    : undefined;
  const said = [roleOf(report), told].filter((text) => text !== undefined).join(', ');
  return `${node.name ?? 'patroniglue'}: ${said}`;
}

/** What Patroni, or the witness, says that the node is: that it was, if there is no fresh answer. */
function roleOf({ node, state }: StatusReport): string | undefined {
  return node.role !== undefined && state === 'no-fresh-answer' ? `was ${node.role}` : node.role;
}

/** What a person must know first. */
export function headHtml(report: StatusReport): string {
  const { node, state, routes } = report;
  const told = routes.filter(({ learned }) => !learned).map((route) => `<li>${replyTo(route)}</li>`);
  const role = roleOf(report);
  const isRunning = node.state === undefined || node.state === 'running';
  const colour = isWithoutPrimary(report) ? `${state} without-primary` : state;
  return `<header class="${colour}" data-title="${escaped(titleOf(report))}" data-icon="${iconOf(report)}">
<h1>${escaped(node.name ?? 'patroniglue')}${role === undefined ? '' : ` <span>${escaped(role)}</span>`}${isRunning ? '' : ` <span class="warn">${escaped(node.state)}</span>`}${node.scope === undefined ? '' : ` <small>of cluster ${escaped(node.scope)}</small>`}</h1>
${alarm(report)}<p>Checks get:</p>
<ul class="told">${told.join('\n')}</ul>
<dl>${[answered(report), key(report), asked(report), startedLately(report)].join('\n')}</dl>
</header>`;
}

/** What a check of a route gets. */
export function replyTo(report: RouteReport): string {
  const { route, state, status } = report;
  const [kind, text] =
    state === 'fresh' ? [status === 200 ? 'yes' : 'no', String(status)] : ['none', `503, ${whyNot(report)}`];
  return `<code>${escaped(route)}</code> <b class="${kind}">${text}</b>`;
}

const whyNot = (report: RouteReport): string => (report['by-lease-guard'] ? 'by the lease guard' : 'no fresh answer');

function alarm(report: StatusReport): string {
  const html = alarmHtml(report);
  return html === undefined ? '' : `<p class="alarm">${html}</p>\n`;
}

function alarmHtml({ state, routes, witness }: StatusReport): string | undefined {
  const runbook = '<a href="/-/runbook">What to do</a>';
  const leading = witness?.['leader-route'];
  if (state === 'witness' && leading?.status === 503) {
    const all = witness?.['member-key'] === false ? ' All of Patroni is frozen or has stopped, not its API alone.' : '';
    return `Patroni does not answer. Checks of ${escaped(leading.route)} get 503 by the witness: ${escaped(leading.why)}.${all} ${runbook}`;
  }
  if (state === 'witness') {
    return `Patroni does not answer. Checks get replies by the witness. etcd says what this node is. Mend Patroni: ${runbook}`;
  }
  const failing = routes.filter((route) => !route.learned && route.state !== 'fresh');
  const [first] = failing;
  if (first === undefined) return undefined;
  if (failing.every((route) => route['by-lease-guard'])) {
    return 'Patroni answers, but has not reached its DCS for too long: another node may get the leader key. Look at the DCS, and at the log of Patroni.';
  }
  const reason = (first.reason ?? '').replace(/^\w+: /, ''); // without the state
  return `There is no fresh answer of Patroni: ${escaped(reason)}. ${runbook}`;
}

const fact = (name: string, html: string): string => `<div><dt>${name}</dt><dd>${html}</dd></div>`;

function answered({ patroni: { answered: last, frozen }, at }: StatusReport): string {
  const since = frozen ? `, <span class="warn">frozen since ${time(frozen.at, at)}</span>` : '';
  return fact('Patroni answered', (last ? `${span(last['ago-ms'])} ago (${time(last.at, at)})` : 'not yet') + since);
}

function key({ key: known, node }: StatusReport): string {
  if (known === undefined) return node.paused === true ? fact('leader key', 'not watched: the cluster is paused') : '';
  const by = { 'lease-guard': 'Patroni’s last look at its DCS', witness: 'its lease in etcd' }[known.by];
  return fact('leader key', `safe for ${span(known['safe-ms'])} more, by ${by}`);
}

function asked(report: StatusReport): string {
  const { 'last-check': last, 'nobody-asks-for': unasked, at } = report;
  const by = last && `${span(last['ago-ms'])} ago by ${escaped(last.from ?? 'a client that has left')}`;
  const text = last ? `${by}: <code>${escaped(last.route)}</code> (${time(last.at, at)})` : 'none yet';
  const question = 'Does the load balancer check this port?';
  const warning = unasked && `<p class="warn">Nobody has asked for ${escaped(unasked)} for a minute. ${question}</p>`;
  return fact('last check', `${text}${warning ?? ''}`);
}

function startedLately({ started, 'uptime-ms': uptimeMs, at }: StatusReport): string {
  return uptimeMs < STARTED_LATELY_MS
    ? fact('patroniglue started', `${span(uptimeMs)} ago (${time(started, at)})`)
    : '';
}
