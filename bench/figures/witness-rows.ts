import type { Said } from '../../test/tools/safety/leaders.js';
import { momentOf200 } from '../../test/tools/safety/leaders.js';
import { type Check, waitedMs } from '../support/checks.js';
import type { Measure, Row } from '../support/figure.js';
import { quantile } from '../support/statistics.js';
import type { ApiFreeze, WholeFreeze } from '../witness/scenes.js';
import { NAMES, TIMINGS, WAYS, type Way } from '../witness/stand.js';

/** The least time from the last 200 to the next primary's first, in seconds: what Patroni leaves, less one for the sampling. */
const LEAD_S = TIMINGS.ttl - TIMINGS.loop_wait - TIMINGS.retry_timeout - 1;

/** How long a reply is waited for. */
const WAITS_MS = 2000;

/** What each way said while the API alone was frozen, and what HAProxy and a client's session made of it. */
export function apiRows(freeze: ApiFreeze): readonly Row[] {
  return [...WAYS.map((way) => wayRow(freeze, way)), ...rateRows(freeze)];
}

function wayRow({ said, servers, frozenMs, endedMs, downs, sessionEndedMs, old }: ApiFreeze, way: Way): Row {
  const isOurs = way === 'with';
  const untilMs = endedMs - WAITS_MS; // a later one may have its reply after the thaw
  const asked = said.filter((one) => one.node === old && one.by === way && isWithin(one.sentMs, frozenMs, untilMs));
  const no = asked.filter(({ status }) => status !== 200);
  const first = no.map(({ sentMs }) => sentMs).sort((a, b) => a - b)[0];
  const states = servers.filter(({ by, atMs }) => by === way && isWithin(atMs, frozenMs, endedMs));
  const down = states.filter(({ isUp }) => !isUp);
  return {
    label: NAMES[way],
    measures: [
      { name: 'checks', value: asked.length, ...(isOurs && { atLeast: 1 }) },
      { name: 'not 200', value: no.length, ...(isOurs && { atMost: 0 }) },
      after('first that is not 200, after', first, frozenMs),
      { name: 'HAProxy: marked DOWN', value: downs[way], ...(isOurs && { atMost: 0 }) },
      after('after', down[0]?.atMs, frozenMs),
      { name: 'DOWN', value: (100 * down.length) / states.length, unit: '%', digits: 1, ...(isOurs && { atMost: 0 }) },
      after('a session through HAProxy ended after', sessionEndedMs[way], 0),
    ],
  };
}

function rateRows({ checks, calmMs, frozenMs, endedMs }: ApiFreeze): readonly Row[] {
  const row = (label: string, all: readonly Check[], isOurs: boolean): Row => {
    const calm = all.filter(({ dueMs }) => isWithin(dueMs, calmMs, frozenMs));
    const frozen = all.filter(({ dueMs }) => isWithin(dueMs, frozenMs, endedMs));
    const p99 = (of: readonly Check[]): number => quantile(of.map(waitedMs), 0.99);
    return {
      label,
      measures: [
        { name: 'checks in the freeze', value: frozen.length, ...(isOurs && { atLeast: 1 }) },
        { name: 'not 200', value: frozen.filter(({ status }) => status !== 200).length, ...(isOurs && { atMost: 0 }) },
        { name: 'p99 before', value: p99(calm), unit: 'ms', digits: 1 },
        { name: 'p99 frozen', value: p99(frozen), unit: 'ms', digits: 1 },
        { name: 'ratio', value: p99(frozen) / p99(calm), digits: 2 },
      ],
    };
  };
  return [row(NAMES.with, checks.ours, true), row('a server that answers a constant', checks.constant, false)];
}

/** The last 200 of each way while Patroni was stopped as a whole, and how long before the new primary's first it was. */
export function wholeRows(freeze: WholeFreeze): readonly Row[] {
  const { frozenMs } = freeze;
  const promotedMs = firstOfNext(freeze);
  return WAYS.map((way) => {
    const lastMs = lastOfOld(freeze, way);
    return {
      label: NAMES[way],
      measures: [
        { name: 'last 200 after', value: (lastMs - frozenMs) / 1000, unit: 's', digits: 1 },
        { name: "the new primary's first 200 after", value: (promotedMs - frozenMs) / 1000, unit: 's', digits: 1 },
        {
          ...{ name: 'between the two', value: (promotedMs - lastMs) / 1000, unit: 's', digits: 1 },
          ...(way === 'with' && { atLeast: LEAD_S }),
        },
      ],
    };
  });
}

/** When a way said 200 for the last time at the old primary. */
export function lastOfOld({ said, old }: Pick<WholeFreeze, 'said' | 'old'>, way: Way): number {
  return momentOf200('last', said, old, way) ?? NaN;
}

/** When the new primary was first said to be one, by whichever way. */
export function firstOfNext({ said, next, frozenMs }: Pick<WholeFreeze, 'said' | 'next' | 'frozenMs'>): number {
  const later: readonly Said[] = said.filter(({ sentMs }) => sentMs >= frozenMs);
  return Math.min(...WAYS.map((way) => momentOf200('first', later, next, way) ?? Infinity));
}

/** A moment in seconds from another; "never" if it did not come. */
function after(name: string, atMs: number | undefined, fromMs: number): Measure {
  if (atMs === undefined) return { name, value: 'never' };
  return { name, value: (atMs - fromMs) / 1000, unit: 's', digits: 1 };
}

function isWithin(ms: number, fromMs: number, toMs: number): boolean {
  return ms >= fromMs && ms < toMs;
}
