import { setTimeout as sleep } from 'node:timers/promises';
import { nowMs } from '../../test/support/time/monotonic.js';
import { checkPorts, waitedMs } from '../support/checks.js';
import type { Figure, Row } from '../support/figure.js';
import { type Freezable, startFreezable } from '../support/freezable.js';
import { type Frozen, drawFreeze } from './freeze-picture.js';
import { cachingPeers, nodeHttp, patroniglue, withPeers } from '../peers/all.js';
import { DEFAULT_PACE } from '../support/processes.js';
import { quantile, spreadOf } from '../support/statistics.js';

const PER_SECOND = 200;
const HEALTHY_MS = 15_000;
const FROZEN_MS = 15_000;
const THAWED_MS = 5_000;
const ROUNDS = 3;

/** A load balancer notices this. */
const LONG_MS = 50;

/** Patroni's API stops answering and comes back. */
export const freeze: Figure = {
  name: 'freeze',
  title:
    `${PER_SECOND} checks a second of /primary at each, on fresh connections and timed from when they were due, while Patroni ` +
    `(SIGSTOP, its PostgreSQL goes on) is stopped for ${FROZEN_MS / 1000} s. The median of ${ROUNDS} rounds, and their least and most; ` +
    'Patroni itself was checked by itself, in one more round.',
  async run() {
    const upstream = await startFreezable();
    try {
      const rounds: (readonly Frozen[])[] = [];
      for (let round = 0; round < ROUNDS; round += 1) rounds.push(await checkCaches(upstream));
      const direct = await checkThrough(upstream, [{ name: `directly: ${upstream.label}`, port: upstream.port }]);
      const names = rounds[0]?.map(({ name }) => name) ?? [];
      const control = rounds.map((round) => round.find(({ name }) => name === nodeHttp.name));
      const rows = names.map((name) => {
        const mine = rounds.map((round) => round.find((frozen) => frozen.name === name));
        return rowOf(name, mine.filter(isThere), control.filter(isThere));
      });
      const last = rounds.at(-1)?.filter(({ name }) => name !== nodeHttp.name) ?? [];
      return {
        rows: [...rows, ...direct.map((frozen) => rowOf(frozen.name, [frozen], []))],
        pictures: [drawFreeze([...last, ...direct])],
      };
    } finally {
      await upstream.close();
    }
  },
};

function checkCaches(upstream: Freezable): Promise<readonly Frozen[]> {
  const peers = [...cachingPeers(), nodeHttp];
  return withPeers(peers, { upstreamPort: upstream.port }, (running) => checkThrough(upstream, running));
}

async function checkThrough(
  upstream: Freezable,
  places: readonly { readonly name: string; readonly port: number }[],
): Promise<readonly Frozen[]> {
  const ports = places.map(({ port }) => port);
  await checkPorts({ ports, perSecond: PER_SECOND, durationMs: 3000 }); // caches fill, code is compiled
  const durationMs = HEALTHY_MS + FROZEN_MS + THAWED_MS;
  const load = checkPorts({ ports, perSecond: PER_SECOND, durationMs });
  load.catch(() => undefined); // awaited below
  await sleep(HEALTHY_MS);
  upstream.freeze();
  const frozenMs = nowMs();
  await sleep(FROZEN_MS);
  const thawedMs = nowMs();
  upstream.thaw();
  const checks = await load;
  return places.map(({ name }, index) => ({ name, checks: checks[index] ?? [], frozenMs, thawedMs }));
}

function rowOf(name: string, rounds: readonly Frozen[], control: readonly Frozen[]): Row {
  const measured = rounds.map(measure);
  const of = (pick: (measured: Measured) => number): ReturnType<typeof spreadOf> => spreadOf(measured.map(pick));
  const isOurs = name === patroniglue.name;
  const ttlS = DEFAULT_PACE.ttl;
  const stalls = rounds.map((round, index) => stallsBeside(round, control[index]));
  return {
    label: name,
    measures: [
      { name: 'healthy: p50', ...of(({ healthy }) => quantile(healthy, 0.5)), unit: 'ms', digits: 1 },
      { name: 'p99', ...of(({ healthy }) => quantile(healthy, 0.99)), unit: 'ms', digits: 1 },
      { name: 'frozen: p50', ...of(({ frozen }) => quantile(frozen, 0.5)), unit: 'ms', digits: 1 },
      { name: 'p99 ', ...of(({ frozen }) => quantile(frozen, 0.99)), unit: 'ms', digits: 1 },
      { name: 'max', ...of(({ frozen }) => quantile(frozen, 1)), unit: 'ms', digits: 1 },
      { name: 'p99 frozen / healthy', ...of(p99Ratio), digits: 2, ...(isOurs && { atMost: 1.2 }) },
      { name: 'over 1 s', ...of(({ frozen }) => 100 * share(frozen, 1000)), unit: '%', digits: 1 },
      {
        name: `over ${LONG_MS} ms, and the constant not`,
        ...(control.length > 0 ? spreadOf(stalls) : { value: '-' }),
        ...(isOurs && { atMost: 0 }),
      },
      { name: 'still 200 after', ...of(({ staleS }) => staleS), unit: 's', digits: 1, ...(isOurs && { atMost: ttlS }) },
      { name: '200 again after', ...of(({ backS }) => backS), unit: 's', digits: 2 },
    ],
  };
}

interface Measured {
  /** What checks waited, in milliseconds. */
  readonly healthy: readonly number[];
  readonly frozen: readonly number[];
  /** From the freeze to the last 200 within it. */
  readonly staleS: number;
  /** From the thaw to the first 200 after it. */
  readonly backS: number;
}

function measure({ checks, frozenMs, thawedMs }: Frozen): Measured {
  const during = checks.filter(({ dueMs }) => dueMs >= frozenMs && dueMs < thawedMs);
  const last200 = during.findLast(({ status, endMs }) => status === 200 && endMs < thawedMs);
  const first200 = checks.find(({ status, endMs }) => status === 200 && endMs >= thawedMs);
  return {
    healthy: checks.filter(({ dueMs }) => dueMs < frozenMs).map(waitedMs),
    frozen: during.map(waitedMs),
    staleS: last200 === undefined ? 0 : (last200.endMs - frozenMs) / 1000,
    backS: ((first200?.endMs ?? NaN) - thawedMs) / 1000,
  };
}

function p99Ratio({ healthy, frozen }: Measured): number {
  return quantile(frozen, 0.99) / quantile(healthy, 0.99);
}

function share(values: readonly number[], overMs: number): number {
  return values.filter((value) => value > overMs).length / values.length;
}

/** Checks that waited long, and whose neighbours at the constant server did not. */
function stallsBeside({ checks }: Frozen, control: Frozen | undefined): number {
  return checks.filter((check, index) => {
    const beside = control?.checks[index];
    return waitedMs(check) > LONG_MS && beside !== undefined && waitedMs(beside) <= LONG_MS;
  }).length;
}

function isThere<T>(value: T | undefined): value is T {
  return value !== undefined;
}
