import { worstOf } from './finding.js';
import { type Finding, STATES, type State } from './types.js';

/** Nagios' exit codes (Monitoring Plugins Development Guidelines, "Plugin Return Codes"). */
export const EXIT_CODES: Readonly<Record<State, number>> = { OK: 0, WARNING: 1, CRITICAL: 2, UNKNOWN: 3 };

/** A measure that Nagios keeps: `patroni=0.012s`. */
export interface Measure {
  readonly label: string;
  readonly seconds: number;
}

/**
 * The first line is that of a Nagios plugin: the worst finding, then measures after a bar. Below it is a table, and under each
 * line that is not OK what to do.
 */
export function tableText(findings: readonly Finding[], measures: readonly Measure[]): string {
  const width = Math.max(...findings.map(({ check }) => check.length), 'CHECK'.length);
  const row = (state: string, check: string, text: string): string =>
    `${state.padEnd('CRITICAL'.length)}  ${check.padEnd(width)}  ${text}`.trimEnd();
  const rows = findings.flatMap(({ state, check, found, todo }) => [
    row(state, check, printable(found)),
    ...(todo === undefined ? [] : [row('', '', `to do: ${printable(todo)}`)]),
  ]);
  return `${[summary(findings, measures), '', row('STATE', 'CHECK', 'FOUND'), ...rows].join('\n')}\n`;
}

/** The same for programs. */
export function jsonText(findings: readonly Finding[], measures: readonly Measure[]): string {
  const state = worstOf(findings.map((finding) => finding.state));
  const report = { state, 'exit-code': EXIT_CODES[state], findings, measures };
  return `${JSON.stringify(report, undefined, 2)}\n`;
}

function summary(findings: readonly Finding[], measures: readonly Measure[]): string {
  const worst = worstOf(findings.map(({ state }) => state));
  const bad = STATES.filter((state) => state !== 'OK')
    .reverse()
    .flatMap((state) => findings.filter((finding) => finding.state === state));
  const [first] = bad;
  const more = bad.length > 1 ? ` (and ${bad.length - 1} more)` : '';
  const what = first ? `${first.check}: ${printable(first.found)}${more}` : `${findings.length} checks, nothing to do`;
  const performance = measures.map(({ label, seconds }) => `${label}=${seconds.toFixed(3)}s`).join(' ');
  return `PATRONIGLUE ${worst} - ${what}${performance === '' ? '' : ` | ${performance}`}`;
}

/**
 * One line without control characters, whatever a file or an upstream said. Without a bar: to Nagios, measures come after it,
 * in the lines of the table as well.
 */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').replaceAll('|', '/');
}
