import type { Measure, Row } from '../support/figure.js';
import type { Round } from './rounds.js';
import type { State } from './service.js';
import { tally } from '../support/statistics.js';

/**
 * What the heap may hold on top of the first round's. V8 goes on to compile, and to learn of types, for some minutes: up to
 * 350 kB in a round at first, less and less, 1.1 MB in all. A leak of fifty bytes a check would be 250 kB in every round.
 */
const HEAP_NOISE_KB = 600;
const HEAP_LEARNING_KB = 100;
const LEARNING_ROUNDS = 6;
const HEAP_SLOPE_KB = 10;

/** Buffers of polls that are under way, and Node's pool of small ones. */
const EXTERNAL_NOISE_KB = 200;

/** The heap breathes, and what it gave back may not be the system's yet. */
const RESIDENT_NOISE_MB = 30;

/** On a machine that is busy with other things the checks come late, and the last ones not at all. */
const LEAST_SHARE_OF_DUE = 0.5;

/**
 * One row per round. The first round is the warm-up, in which everything is compiled and every route learned. Later rounds
 * are compared with the second; counted things with the larger count of the first two.
 */
export function rowsOf(rounds: readonly Round[]): readonly Row[] {
  return rounds.map((round, index) => ({
    label: index === 0 ? 'warm-up' : `round ${index}`,
    measures: [...checksOf(round), ...holdingsOf(round, index > 1 ? rounds.slice(0, 2) : [], index - 1)],
  }));
}

/** What no single round shows. */
export function brokenOverall(rounds: readonly Round[]): readonly string[] {
  const dropped = rounds.reduce((sum, { linesDropped }) => sum + linesDropped, 0);
  return dropped > 0 ? [] : ['no log line was dropped: that the log reader stops had no effect'];
}

/** What the service held, by type: `PipeWrap × 1, Timeout × 28`. */
export function describeResources({ state: { resources } }: Round): string {
  return Object.entries(resources)
    .sort()
    .map(([type, count]) => `${type} × ${count}`)
    .join(', ');
}

function checksOf({ checks, due, good, refused, failures, tooOld, latencies, linesDropped }: Round): Measure[] {
  return [
    { name: 'checks', value: checks, atLeast: Math.floor(due * LEAST_SHARE_OF_DUE) },
    { name: '200', value: good, atLeast: 1 },
    { name: '503', value: refused, atLeast: 1 },
    failures.length === 0 ? { name: 'else', value: 0 } : { name: 'else', value: tally(failures), atMost: 0 },
    { name: '200 too old', value: tooOld, atMost: 0 },
    { name: 'p99', value: latencies.p99, unit: 'ms', digits: 1 },
    { name: 'max', value: latencies.max, unit: 'ms', digits: 0 },
    { name: 'log lines dropped', value: linesDropped },
  ];
}

/** @param before the warm-up and the first round; none for those themselves */
function holdingsOf({ state }: Round, before: readonly Round[], roundsSince: number): Measure[] {
  const since = before[1]?.state;
  // On a machine so busy that polls fail a route may have been without its timer in one of the two.
  const most = (count: (state: State) => number): number | undefined =>
    since && Math.max(...before.map((round) => count(round.state)));
  const bounded = (measure: Measure, atMost: number | undefined): Measure =>
    atMost === undefined ? measure : { ...measure, atMost: Math.round(atMost) };
  const kB = (bytes: number): number => bytes / 1000;
  const { heapBytes, externalBytes, bufferBytes, files, residentMB } = state;
  const heapMore =
    HEAP_NOISE_KB + HEAP_LEARNING_KB * Math.min(roundsSince, LEARNING_ROUNDS) + HEAP_SLOPE_KB * roundsSince;
  return [
    bounded({ name: 'heap, kB', value: kB(heapBytes) }, since && kB(since.heapBytes) + heapMore),
    bounded({ name: 'external, kB', value: kB(externalBytes) }, since && kB(since.externalBytes) + EXTERNAL_NOISE_KB),
    bounded({ name: 'of it buffers, kB', value: kB(bufferBytes) }, since && kB(since.bufferBytes) + EXTERNAL_NOISE_KB),
    bounded({ name: 'resident', value: residentMB, unit: 'MB' }, since && since.residentMB + RESIDENT_NOISE_MB),
    bounded(
      { name: 'files', value: files },
      most((then) => then.files),
    ),
    bounded(
      { name: 'handles', value: handles(state.resources) },
      most((then) => handles(then.resources)),
    ),
    bounded(
      { name: 'timers', value: timers(state.resources) },
      most((then) => timers(then.resources)),
    ),
  ];
}

type Resources = State['resources'];

function timers(resources: Resources): number {
  return resources['Timeout'] ?? 0;
}

function handles(resources: Resources): number {
  return Object.values(resources).reduce((sum, count) => sum + count, 0) - timers(resources);
}
