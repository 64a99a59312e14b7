import type { PastPoll } from './history.js';
import type { RouteReport, StatusReport, WitnessReport } from './report.js';

/** The whole page. It is complete without JavaScript: the script only keeps the page up to date. */
export function statusPage(report: StatusReport): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(titleOf(report))}</title>
<link rel="icon" href="${iconOf(report)}" data-dead="${ICONS.dead}">
<link rel="stylesheet" href="/-/status.css">
<noscript><meta http-equiv="refresh" content="5"></noscript>
<script src="/-/status.js" defer></script>
</head>
<body>
<p id="live">as of ${time(report.at)}</p>
<main>
${statusMain(report)}
</main>
<footer>patroniglue ${escaped(report.version)} · <a href="/-/status.json">JSON</a> · <a href="/-/metrics">metrics</a></footer>
</body>
</html>
`;
}

/** The part of the page that changes: the content of `main`. */
export function statusMain(report: StatusReport): string {
  const { ready, upstream, warnings, witness, node, routes, changes } = report;
  return `<header data-title="${escaped(titleOf(report))}" data-icon="${iconOf(report)}"><h1>${escaped(node.name ?? 'patroniglue')} <span class="${ready ? 'good' : 'bad'}">${ready ? 'ready' : 'not ready'}</span></h1></header>
<p>Polls Patroni at <code>${escaped(upstream)}</code>.</p>
${witness === undefined ? '' : `${witnessSection(witness)}\n`}${warnings.length === 0 ? '' : `<section><h2>Warnings</h2><ul class="warnings">${warnings.map((warning) => `<li>${escaped(warning)}</li>`).join('')}</ul></section>`}
<section><h2>What ${witness?.active === true ? 'the witness' : 'Patroni'} says about the node</h2>${nodeList(node)}</section>
<section><h2>Routes</h2>
<table><thead><tr><th scope="col">route</th><th scope="col">reply to checks</th><th scope="col">age of the answer</th><th scope="col">polls</th><th scope="col">last failure</th></tr></thead>
<tbody>${routes.map(routeRow).join('\n')}</tbody></table></section>
<section><h2>Changes</h2>${
    changes.length === 0
      ? '<p>None yet.</p>'
      : `<ol>${changes.map(({ at, text }) => `<li>${time(at)} ${escaped(text)}</li>`).join('')}</ol>`
  }</section>`;
}

function titleOf({ node, ready }: StatusReport): string {
  return `${node.name ?? 'patroniglue'}: ${ready ? 'ready' : 'not ready'}`;
}

/** A dot for the tab of the browser. */
const dot = (colour: string): string =>
  `data:image/svg+xml,${encodeURIComponent(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7" fill="${colour}"/></svg>`)}`;

const ICONS = { ready: dot('#2da44e'), notReady: dot('#cf222e'), dead: dot('#8c959f') } as const;

function iconOf({ ready }: StatusReport): string {
  return ready ? ICONS.ready : ICONS.notReady;
}

function witnessSection({ state, message, active }: WitnessReport): string {
  if (active) {
    const headline = 'Patroni does not answer. Checks get replies by the witness.';
    return `<section class="alarm" role="alert"><h2>${headline}</h2><p>etcd says what this node is. Mend Patroni: see the runbook.</p></section>`;
  }
  const said = {
    'not-compared': 'not compared with Patroni yet',
    agrees: 'agrees with Patroni',
    doubted: 'is compared with Patroni again',
    contradicts: `not used: ${message ?? ''}`,
    unreachable: `cannot be read: ${message ?? ''}`,
  }[state];
  return `<p>Witness (etcd): <span class="${state === 'contradicts' || state === 'unreachable' ? 'bad' : 'good'}">${escaped(said)}</span>.</p>`;
}

function nodeList(node: StatusReport['node']): string {
  const facts = Object.entries(node).map(
    ([name, value]) => `<div><dt>${escaped(name)}</dt><dd>${escaped(String(value))}</dd></div>`,
  );
  return facts.length === 0 ? '<p>Nothing yet.</p>' : `<dl>${facts.join('')}</dl>`;
}

function routeRow(report: RouteReport): string {
  const { route, learned, state, status, reason, polls } = report;
  const by = report.witness === undefined ? '' : ` <small>by the witness: ${escaped(report.witness)}</small>`;
  const reply = state === 'fresh' ? `${String(status)}${by}` : `503 <small>${escaped(reason ?? state)}</small>`;
  const failure = report['last-failure'];
  return `<tr class="${state}"><th scope="row"><code>${escaped(route)}</code>${learned ? ' <small>learned</small>' : ''}</th>
<td data-label="reply to checks"><span class="${state === 'fresh' ? 'good' : 'bad'}">${reply}</span></td>
<td data-label="age">${ageBar(report)}</td>
<td data-label="polls">${sparkline(polls)}</td>
<td data-label="last failure">${failure === undefined ? 'none' : `${time(failure.at)} ${escaped(failure.text)}`}</td></tr>`;
}

function ageBar({ 'age-ms': ageMs, 'ttl-ms': ttlMs, state }: RouteReport): string {
  if (ageMs === undefined) return 'no answer yet';
  const shown = Math.min(ageMs, ttlMs);
  const words = `${(ageMs / 1000).toFixed(1)} s of ${ttlMs / 1000} s`;
  return `<progress max="${ttlMs}" value="${shown}" data-age="${ageMs}" aria-label="age of the answer">${words}</progress> <span class="age">${words}${state === 'stale' ? ', expired' : ''}</span>`;
}

const [SPARK_WIDTH, SPARK_HEIGHT] = [120, 24];

/** How long polls took, as a line; the longest poll has the full height. A vertical mark shows a failed poll. */
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
  return `<svg viewBox="0 0 ${SPARK_WIDTH} ${SPARK_HEIGHT}" role="img" aria-label="${words}"><path class="failed" d="${failed}"/><polyline points="${line}"/></svg> <small>${words}</small>`;
}

function time(at: string): string {
  return `<time datetime="${at}">${at.slice(11, 19)}</time>`;
}

/** Escapes a text for HTML. Patroni, or another program at its address, decides what is in a body. */
function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
