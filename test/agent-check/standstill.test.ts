import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NEVER, type Observable, VirtualTimeScheduler, defer, filter, switchMap, throwError } from 'rxjs';
import { createAgentHandler } from '../../src/agent-check/handler.js';
import { createCache } from '../../src/streams/cache.js';
import { changes } from '../../src/streams/changes.js';
import { expire } from '../../src/streams/expiry.js';
import { createHeartbeat, createOutcomeFilter, missedPolls, wasMostlyStill } from '../../src/streams/heartbeat.js';
import { poll } from '../../src/streams/poll.js';
import { answer, refused } from '../support/time/marbles.js';
import { type StillProcess, createStillProcess } from '../support/time/still-process.js';
import type { Answer, CanonicalRoute } from '../../src/patroni/types.js';

const [TTL_MS, INTERVAL_MS, TIMEOUT_MS] = [4000, 1000, 2000]; // by default
const UP = 'up ready 100%';
const UNCHANGED = 'no-answer-from-Patroni-yet';

/** Moments of the interval at which the test stops patroniglue: many of them with a poll in flight. */
const MOMENTS_MS = Array.from({ length: 20 }, (_, index) => 5000 + index * 50 + 5);

type Request = (process: StillProcess, sentAtMs: number) => Observable<Answer>;

/** What Patroni does, and how long a poll of it takes. */
const PATRONIS: readonly (readonly [string, number, Request])[] = [
  ['answers at once', 1, (process) => process.arriving(1, answer(200))],
  ['answers after 0.4 s', 400, (process) => process.arriving(400, answer(200))],
  ['answers shortly before the deadline', 1900, (process) => process.arriving(1900, answer(200))],
  // stopped before that, it has not asked yet: a connection that was not made, a TLS handshake
  [
    'can be asked after 0.2 s, and then takes 0.2 s',
    400,
    (process) => process.arriving(200, undefined).pipe(switchMap(() => process.arriving(200, answer(200)))),
  ],
];

interface Told {
  readonly atMs: number;
  readonly line: string;
}

/** A service that is stopped once: its replies to agent checks, the moments of its polls, and its log. */
function run(standstill: { readonly fromMs: number; readonly toMs: number }, request: Request) {
  const virtual = new VirtualTimeScheduler();
  const process = createStillProcess(virtual, standstill);
  const { scheduler } = process;
  const heartbeat = createHeartbeat(scheduler);
  const sentAtMs: number[] = [];
  const request$ = defer(() => {
    sentAtMs.push(scheduler.now());
    return request(process, scheduler.now());
  });
  const cache = createCache(['/primary' as CanonicalRoute], {
    snapshots: () => {
      const outcome$ = poll(request$, {
        intervalMs: INTERVAL_MS,
        deadlineMs: TIMEOUT_MS,
        refresh$: missedPolls(heartbeat, INTERVAL_MS),
        scheduler,
        classify: refused,
      });
      return expire(outcome$.pipe(filter(createOutcomeFilter(heartbeat))), { ttlMs: TTL_MS, scheduler });
    },
    maxLearned: 0,
    forgetAfterMs: Infinity,
    scheduler,
  });
  const handle = createAgentHandler({
    ask: (route) => cache.ask(route),
    nowMs: () => scheduler.now(),
    pollTimeoutMs: () => TIMEOUT_MS,
    stoodStillMs: heartbeat.stoodStillMs,
    wasMostlyStill: (fromMs, toMs) => wasMostlyStill(heartbeat, fromMs, toMs),
  });
  const told: Told[] = [];
  const check = (): void => {
    const { line } = handle({ kind: 'nothing' }, { route: '/primary', standby: 'maint' });
    told.push({ atMs: virtual.now(), line });
  };
  const { fromMs, toMs } = standstill;
  const lines: string[] = [];
  const polling = changes(cache, scheduler).subscribe({ next: ({ kind }) => lines.push(kind), error: assert.ifError });
  // After the waking: before the first timer, before the sockets are read, after both, and then again and again.
  const after = Array.from({ length: 800 }, (_, index) => toMs + index * 5 + 0.75);
  for (const atMs of [fromMs, toMs - 0.01, toMs + 0.25, ...after]) virtual.schedule(check, atMs);
  virtual.maxFrames = toMs + 4000;
  virtual.flush();
  polling.unsubscribe();
  return { told, lines, polledAtMs: sentAtMs.filter((atMs) => atMs >= toMs) };
}

describe('an agent check after patroniglue stood still', () => {
  for (const stillMs of [4000, 7000, 12_000]) {
    for (const [patroni, tookMs, request] of PATRONIS) {
      it(`for ${stillMs / 1000} s, with a Patroni that ${patroni}, is never down`, () => {
        for (const fromMs of MOMENTS_MS) {
          const toMs = fromMs + stillMs;
          const { told, lines, polledAtMs } = run({ fromMs, toMs }, request);
          const label = `stopped at ${fromMs} ms`;
          const others = told.filter(({ line }) => line !== UP && line !== UNCHANGED);
          assert.deepEqual(others, [], label);
          assert.ok((polledAtMs[0] ?? Infinity) <= toMs + 3, `${label}: polled at ${polledAtMs[0] ?? ''}`);
          const lastUnknown = told.findLast(({ line }) => line === UNCHANGED)?.atMs ?? toMs;
          assert.ok(lastUnknown <= toMs + tookMs + 10, `${label}: up at ${lastUnknown}`);
          assert.ok(!lines.includes('polls-failing'), label);
        }
      });
    }

    it(`for ${stillMs / 1000} s, and had one poll refused before, is never down`, () => {
      for (const fromMs of MOMENTS_MS) {
        const toMs = fromMs + stillMs;
        const { told } = run({ fromMs, toMs }, (process, sentAtMs) =>
          sentAtMs > fromMs - INTERVAL_MS && sentAtMs < fromMs
            ? throwError(() => new Error('refused'))
            : process.arriving(400, answer(200)),
        );
        const others = told.filter(({ line }) => line !== UP && line !== UNCHANGED);
        assert.deepEqual(others, [], `stopped at ${fromMs} ms`);
      }
    });

    it(`for ${stillMs / 1000} s, in which Patroni froze, is down when a poll would have been answered, and not before`, () => {
      for (const fromMs of MOMENTS_MS) {
        const toMs = fromMs + stillMs;
        const { told } = run({ fromMs, toMs }, (process, sentAtMs) =>
          sentAtMs < fromMs - 400 ? process.arriving(400, answer(200)) : NEVER,
        );
        const downAtMs = told.find(({ line }) => line.startsWith('down'))?.atMs ?? Infinity;
        const label = `stopped at ${fromMs} ms, down at ${downAtMs} ms`;
        // `down` may come from the end of the answer, if this was not in the standstill, but from no failure of patroniglue.
        assert.ok(downAtMs >= toMs && downAtMs <= toMs + TIMEOUT_MS + 10, label);
        assert.ok(
          told.filter(({ atMs }) => atMs > downAtMs).every(({ line }) => line.startsWith('down')),
          label,
        );
      }
    });
  }

  it('for 12 s says down at once where Patroni had long not answered before', () => {
    const { told } = run({ fromMs: 20_000, toMs: 32_000 }, (process, sentAtMs) =>
      sentAtMs < 3000 ? process.arriving(400, answer(200)) : NEVER,
    );
    assert.deepEqual([...new Set(told.map(({ line }) => line.slice(0, 10)))], ['down ready']);
  });
});
