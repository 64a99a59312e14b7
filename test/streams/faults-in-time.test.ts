import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  NEVER,
  type Observable,
  type SchedulerLike,
  concat,
  defer,
  distinctUntilChanged,
  finalize,
  ignoreElements,
  map,
  merge,
  repeat,
  switchMap,
  tap,
  throwError,
  timer,
} from 'rxjs';
import { readAt } from '../../src/patroni/snapshot.js';
import { createCache } from '../../src/streams/cache.js';
import { changes, describeChange } from '../../src/streams/changes.js';
import { expire } from '../../src/streams/expiry.js';
import { poll } from '../../src/streams/poll.js';
import { answer, runMarbles } from '../support/time/marbles.js';
import type { Answer, FailureReason, PollFailure, CanonicalRoute } from '../../src/patroni/types.js';

const [PRIMARY, REPLICA] = ['/primary', '/replica'] as CanonicalRoute[] as [CanonicalRoute, CanonicalRoute];

interface Pace {
  readonly ttlMs: number;
  readonly intervalMs: number;
  readonly deadlineMs: number;
}
const PACE: Pace = { ttlMs: 4000, intervalMs: 1000, deadlineMs: 1500 };

/** The upstream fails for polls that begin in this time. The last poll before is sent at 2000 ms, so its answer ends at 6000. */
const FAULT = { fromMs: 2500, untilMs: 9500 };
const HEALTHY_MS = 30;

/** How the upstream treats a poll that is sent at that moment. */
type Request = (sentAtMs: number, scheduler: SchedulerLike) => Observable<Answer>;

function answeringAfter(delayMs: number, status: number): Request {
  return (_, scheduler) => timer(delayMs, scheduler).pipe(map(() => answer(status)));
}

/** Fails with the name of the reason, which `classify` reads. */
function failingAfter(delayMs: number, reason: FailureReason): Request {
  return (_, scheduler) => {
    const failed$ = throwError(() => new Error(reason));
    return delayMs === 0 ? failed$ : timer(delayMs, scheduler).pipe(switchMap(() => failed$));
  };
}

const healthy = answeringAfter(HEALTHY_MS, 200);
const hanging: Request = () => NEVER;

/** The replies to checks, by letter: `x` is patroniglue's own 503. */
const TOLD = { x: 'none', a: 200, b: 500, c: 302, d: 503 } as const;

interface Row {
  readonly fault: string;
  readonly request: Request;
  /** The reply to a check at each millisecond, if it differs from the one before. */
  readonly told: string;
  /** The log lines after that of the first answer. */
  readonly lines: number;
  readonly pace?: Pace;
  /** When the test ends. */
  readonly untilMs?: number;
}

const REASONS: readonly FailureReason[] = [
  'refused',
  'unreachable',
  'reset',
  'cut-off',
  'name-lookup',
  'tls',
  'refused-access',
  'malformed',
  'too-large',
  'other',
];

const ROWS: readonly Row[] = [
  ...REASONS.map((reason) => ({
    fault: `fails as ${reason}, at once`,
    request: failingAfter(0, reason),
    told: 'x 29ms a 5969ms x 4029ms a',
    lines: 4,
  })),
  {
    fault: 'fails after a while',
    request: failingAfter(700, 'timed-out'),
    told: 'x 29ms a 5969ms x 4029ms a',
    lines: 4,
  },
  {
    fault: 'hangs: the poll in flight ends at its deadline, at 10,500 ms, and the next tick is answered',
    request: hanging,
    told: 'x 29ms a 5969ms x 5029ms a',
    lines: 4,
  },
  {
    fault: 'answers just before the deadline: that is not seen',
    request: answeringAfter(1499, 200),
    told: 'x 29ms a',
    lines: 0,
  },
  {
    fault: 'answers just after the deadline: that is no answer',
    request: answeringAfter(1501, 200),
    told: 'x 29ms a 5969ms x 5029ms a',
    lines: 4,
  },
  {
    fault: 'answers just before a deadline that is almost the time to live: what is left of it counts',
    request: answeringAfter(3899, 200),
    told: 'x 29ms a 5969ms x 898ms a 100ms x 3898ms a 100ms x 29ms a',
    lines: 6,
    pace: { ...PACE, deadlineMs: 3900 },
  },
  { fault: 'answers 500', request: answeringAfter(30, 500), told: 'x 29ms a 2999ms b 6999ms a', lines: 2 },
  { fault: 'answers 302', request: answeringAfter(30, 302), told: 'x 29ms a 2999ms c 6999ms a', lines: 2 },
  { fault: 'answers 503', request: answeringAfter(30, 503), told: 'x 29ms a 2999ms d 6999ms a', lines: 2 },
  {
    fault: 'answers 500 once, and then hangs: a 500 ends with its time, too',
    request: (sentAtMs, scheduler) => (sentAtMs === 3000 ? answeringAfter(30, 500) : hanging)(sentAtMs, scheduler),
    told: 'x 29ms a 2999ms b 3969ms x 3029ms a',
    lines: 5,
  },
  {
    fault: 'fails every other poll: that is logged each time, and not seen',
    request: (sentAtMs, scheduler) =>
      (sentAtMs % 2000 === 0 ? healthy : failingAfter(10, 'reset'))(sentAtMs, scheduler),
    told: 'x 29ms a',
    lines: 8,
  },
  {
    fault: 'flaps between 200 and 503 every 50 ms: each poll is told as it was answered',
    request: (sentAtMs, scheduler) =>
      answeringAfter(10, Math.floor(sentAtMs / 50) % 2 === 0 ? 200 : 503)(sentAtMs, scheduler),
    told: 'x 29ms a 2839ms d 259ms a 129ms d',
    lines: 3,
    pace: { ...PACE, intervalMs: 130 },
    untilMs: 3500,
  },
];

/** Polls with these requests. Returns the reply to a check at each millisecond, and the log. */
function watch(
  requests: ReadonlyMap<CanonicalRoute, Request>,
  scheduler: SchedulerLike,
  { ttlMs, intervalMs, deadlineMs }: Pace = PACE,
  fault = FAULT,
) {
  const lines: string[] = [];
  const inFlight = new Map<CanonicalRoute, number>();
  let most = 0;
  const counted = (route: CanonicalRoute): Observable<Answer> =>
    defer(() => {
      const nowMs = scheduler.now();
      const isFaulty = nowMs >= fault.fromMs && nowMs < fault.untilMs;
      const request = (isFaulty ? requests.get(route) : undefined) ?? healthy;
      inFlight.set(route, (inFlight.get(route) ?? 0) + 1);
      most = Math.max(most, ...inFlight.values());
      return request(nowMs, scheduler).pipe(finalize(() => inFlight.set(route, (inFlight.get(route) ?? 0) - 1)));
    });
  const classify = (cause: unknown): PollFailure => ({
    reason: (cause as Error).message as FailureReason,
    message: '',
  });
  const cache = createCache([...requests.keys()], {
    snapshots: (route) =>
      expire(poll(counted(route), { intervalMs, deadlineMs, scheduler, classify }), { ttlMs, scheduler }),
    maxLearned: 0,
    forgetAfterMs: Infinity,
    scheduler,
  });
  const logged$ = changes(cache, scheduler).pipe(tap((change) => lines.push(describeChange(change))));
  const told = (route: CanonicalRoute): number | string => {
    const snapshot = readAt(cache.latest(route) ?? assert.fail(), scheduler.now());
    return snapshot.kind === 'fresh' ? snapshot.answer.status : 'none';
  };
  return {
    lines,
    mostInFlight: () => most,
    /** Runs the polls. Subscribe once. */
    logged$: logged$.pipe(ignoreElements()),
    /** Asks every millisecond, after all other events of this millisecond. */
    toldOf: (route: CanonicalRoute) =>
      // not `timer(0, 1)`: in virtual time each of its turns is a child of the one before, thousands deep
      concat(timer(0, scheduler), timer(1, scheduler).pipe(repeat())).pipe(
        map(() => told(route)),
        distinctUntilChanged(),
      ),
  };
}

describe('what checks are told, to the millisecond, of an upstream that for a while', () => {
  for (const { fault, request, told, lines, pace, untilMs = 13_000 } of ROWS) {
    it(fault, () => {
      runMarbles(({ expectObservable, flush }, scheduler) => {
        const watched = watch(new Map([[PRIMARY, request]]), scheduler, pace);
        expectObservable(merge(watched.logged$, watched.toldOf(PRIMARY)), `${untilMs}ms !`).toBe(told, TOLD);
        flush();
        assert.equal(watched.mostInFlight(), 1);
        assert.equal(watched.lines.length, 1 + lines, watched.lines.join('\n'));
      });
    });
  }

  it('hangs for one route: the others do not notice', () => {
    runMarbles(({ expectObservable, flush }, scheduler) => {
      const requests = new Map([
        [PRIMARY, hanging],
        [REPLICA, healthy],
      ]);
      const watched = watch(requests, scheduler);
      expectObservable(merge(watched.logged$, watched.toldOf(PRIMARY)), '13s !').toBe(
        'x 29ms a 5969ms x 5029ms a',
        TOLD,
      );
      expectObservable(watched.toldOf(REPLICA), '13s !').toBe('x 29ms a', TOLD);
      flush();
      assert.equal(watched.mostInFlight(), 1);
      assert.equal(watched.lines.filter((line) => line.startsWith(REPLICA)).length, 1, watched.lines.join('\n'));
    });
  });
});

describe('a hiccup of the upstream is not seen, whenever it begins', () => {
  const pace = { ttlMs: 4000, intervalMs: 1000, deadlineMs: 2000 };
  const beginnings = Array.from({ length: 40 }, (_, index) => 2000 + index * 25);

  /** The replies from the first answer on, with an upstream in this state for this time. */
  function assertUnseen(requestUntil: (untilMs: number) => Request, forMs: number): void {
    for (const fromMs of beginnings) {
      const fault = { fromMs, untilMs: fromMs + forMs };
      runMarbles(({ expectObservable }, scheduler) => {
        const watched = watch(new Map([[PRIMARY, requestUntil(fault.untilMs)]]), scheduler, pace, fault);
        expectObservable(merge(watched.logged$, watched.toldOf(PRIMARY)), '10s !').toBe('x 29ms a', TOLD);
      });
    }
  }

  it('when it hangs for less than the time to live without an interval, and then answers', () => {
    const frozen =
      (untilMs: number): Request =>
      (sentAtMs, scheduler) =>
        answeringAfter(untilMs - sentAtMs + HEALTHY_MS, 200)(sentAtMs, scheduler);
    assertUnseen(frozen, pace.ttlMs - pace.intervalMs - 2 * HEALTHY_MS);
  });

  it('when it is gone for less than the time to live without two intervals', () => {
    assertUnseen(() => failingAfter(0, 'refused'), pace.ttlMs - 2 * pace.intervalMs);
  });
});
