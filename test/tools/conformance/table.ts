import { METHODS, VERSIONS, type Reply } from './ask.js';
import type { Comparison, Row, Verdict } from './compare.js';

/** Every request with what the two said to it, one line for those that went alike; then the count. */
export function table({ rows }: Pick<Comparison, 'rows'>): string {
  const lines = [...grouped(rows)].map((group) => cells(group));
  const heading = ['request', 'by', 'Patroni', 'patroniglue', ''];
  const widths = heading.map((_, column) =>
    Math.max(...[heading, ...lines].map((line) => (line[column] ?? '').length)),
  );
  const format = (line: readonly string[]): string =>
    line.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join('  ');
  return [heading, widths.map((width) => '-'.repeat(width)), ...lines].map((line) => format(line).trimEnd()).join('\n');
}

/** The last line: how many were asked, and what came of them. */
export function countLine({ rows, differences, tookMs }: Comparison): string {
  const count = (kind: Verdict['kind']): number => rows.filter(({ verdict }) => verdict.kind === kind).length;
  const moving = count('moving') === 0 ? '' : `, ${count('moving')} the same but for what moves by itself`;
  return [
    `${rows.length} requests in ${(tookMs / 1000).toFixed(1)} s: ${count('same')} the same${moving}`,
    `${count('allowed')} allowed differences`,
    `${differences.length} ${differences.length === 1 ? 'difference' : 'differences'}`,
  ].join(', ');
}

/** How often each allowed difference was seen. */
export function allowedLines({ rows }: Pick<Comparison, 'rows'>): readonly string[] {
  const reasons = rows.flatMap(({ verdict }) => (verdict.kind === 'allowed' ? [verdict.reason] : []));
  return [...new Set(reasons)].map(
    (reason) => `allowed: ${reason} (${reasons.filter((other) => other === reason).length} times)`,
  );
}

/** Requests of one target that were answered alike, by whichever method and version. */
function grouped(rows: readonly Row[]): Iterable<readonly Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const key = [row.request.target, ...cells([row]).slice(2)].join('\n');
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return groups.values();
}

function cells(group: readonly Row[]): readonly string[] {
  const [first] = group;
  if (first === undefined) return [];
  const { request, patroni, patroniglue, verdict } = first;
  return [short(request.target), ways(group), brief(patroni), brief(patroniglue), describe(verdict)];
}

function short(target: string): string {
  return target.length <= 72 ? target : `${target.slice(0, 48)}… (${target.length} characters)`;
}

/** `all`, or `HEAD OPTIONS`, or `GET/1.0`: the version only where it made a difference. */
function ways(group: readonly Row[]): string {
  const versions = METHODS.map((method) => ({
    method,
    seen: VERSIONS.filter((version) =>
      group.some(({ request }) => request.method === method && request.version === version),
    ),
  }));
  if (versions.every(({ seen }) => seen.length === VERSIONS.length)) return 'all';
  return versions
    .filter(({ seen }) => seen.length > 0)
    .map(({ method, seen }) => (seen.length === VERSIONS.length ? method : `${method}/${seen.join()}`))
    .join(' ');
}

function brief(reply: Reply): string {
  return reply.kind === 'reply' ? String(reply.status) : 'none';
}

function describe(verdict: Verdict): string {
  switch (verdict.kind) {
    case 'same':
      return '=';
    case 'moving':
      return '= but for what moves';
    case 'allowed':
      return `allowed: ${verdict.reason}`;
    case 'different':
      return `DIFFERENT: ${verdict.how}`;
    case 'unanswered':
      return `DIFFERENT: ${verdict.state}${verdict.detail && `: ${verdict.detail}`}`;
  }
}
