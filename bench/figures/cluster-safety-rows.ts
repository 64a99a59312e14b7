import type { EventFindings, Findings, Recording } from '../../test/tools/safety/analysis.js';
import { KINDS, type Kind } from '../../test/tools/safety/event.js';
import type { Limits } from '../../test/tools/safety/rules.js';
import type { Place } from '../../test/tools/safety/track.js';
import type { Measure, Row } from '../support/figure.js';
import { median } from '../support/statistics.js';

/** The findings as tables: by kind of event, what a silent Patroni leads to, changes, and what the sampling was. */
export function rowsOf(recording: Recording, findings: Findings, limits: Limits): readonly Row[] {
  const kinds = KINDS.map((kind) => ({ kind, of: findings.events.filter(({ event }) => event.kind === kind) }));
  return [
    ...kinds.flatMap(({ kind, of }) => (of.length > 0 ? [eventsRow(kind, of, limits)] : [])),
    ...kinds.flatMap(({ kind, of }) => (of.some(({ silence }) => silence) ? [silenceRow(kind, of, limits)] : [])),
    ...(['no', 'yes'] as const).map((to) => changesRow(to, findings, limits)),
    ...(['patroni', 'patroniglue'] as const).map((by) => samplesRow(by, recording, findings, limits)),
  ];
}

function eventsRow(kind: Kind, events: readonly EventFindings[], limits: Limits): Row {
  const longest = (name: string, values: readonly number[]): Measure => ms(name, Math.max(...values));
  const gaps = (name: string, by: Place['by']): Measure[] => {
    const values = events.map(({ none }) => none[by]);
    return [ms(`no 200 ${name}, median`, median(values)), longest('longest', values)];
  };
  return {
    label: kind,
    measures: [
      { name: 'events', value: events.length },
      longest(
        'two 200s directly, longest',
        events.map(({ two }) => two.patroni),
      ),
      longest(
        'through patroniglue',
        events.map(({ two }) => two.patroniglue),
      ),
      {
        ...longest(
          'longer than directly',
          events.map(({ two }) => Math.max(0, two.patroniglue - two.patroni)),
        ),
        atMost: limits.twoMoreMs,
      },
      ...gaps('directly', 'patroni'),
      ...gaps('through patroniglue', 'patroniglue'),
    ],
  };
}

function silenceRow(kind: Kind, events: readonly EventFindings[], { until503Ms, marginMs: leastMs }: Limits): Row {
  const silences = events.flatMap(({ silence }) => (silence ? [silence] : []));
  const longest = (of: (silence: (typeof silences)[number]) => number): number => Math.max(...silences.map(of));
  return {
    label: `${kind}: its silence`,
    measures: [
      {
        ...ms(
          'two 200s through patroniglue',
          longest(({ twoMs }) => twoMs),
        ),
        atMost: 0,
      },
      {
        ...ms(
          'from silence to 503, longest',
          longest((silence) => silence.until503Ms),
        ),
        atMost: until503Ms,
      },
      { ...ms('from 503 to the new primary, shortest', -longest(({ marginMs }) => -marginMs)), atLeast: leastMs },
    ],
  };
}

function changesRow(to: 'yes' | 'no', { changes }: Findings, { changeMs }: Limits): Row {
  const these = changes.filter((change) => change.to === to);
  const lags = these.filter(({ seen }) => seen).map(({ lagMs }) => lagMs);
  return {
    label: to === 'no' ? '200 to 503' : '503 to 200',
    measures: [
      { name: 'changes of Patroni', value: these.length },
      { name: 'undone before they were seen', value: these.length - lags.length },
      ms('until patroniglue says so, median', median(lags)),
      ms('longest', Math.max(...lags)),
      { ...ms('without what sampling adds', Math.max(...these.map(({ surelyMs }) => surelyMs))), atMost: changeMs },
    ],
  };
}

function samplesRow(
  by: Place['by'],
  { tracks }: Recording,
  { unfoundedMs, unanswered }: Findings,
  limits: Limits,
): Row {
  const stretches = tracks.filter((track) => track.by === by).flatMap((track) => track.stretches);
  const answered = stretches.filter(({ said }) => said !== 'nothing');
  const samples = stretches.reduce((sum, stretch) => sum + stretch.samples, 0);
  const durationMs = stretches.reduce((sum, { first, last }) => sum + last.sentMs - first.sentMs, 0);
  const ours = by === 'patroniglue';
  return {
    label: ours ? 'asked of patroniglue' : 'asked of Patroni',
    measures: [
      { name: 'questions', value: samples },
      ms('one every', durationMs / samples),
      ms('longest reply', Math.max(...answered.map(({ slowestMs }) => slowestMs))),
      ours
        ? { name: 'without a reply', value: unanswered, atMost: 0 }
        : { name: 'without a reply', value: samples - answered.reduce((sum, stretch) => sum + stretch.samples, 0) },
      ours
        ? { ...ms('200 past the ttl', unfoundedMs), atMost: limits.unfoundedMs }
        : { name: '200 past the ttl', value: '' },
    ],
  };
}

function ms(name: string, value: number): Measure {
  return { name, value, unit: 'ms' };
}
