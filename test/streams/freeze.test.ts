import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  NEVER,
  Observable,
  Subject,
  type Subscriber,
  type Subscription,
  VirtualTimeScheduler,
  map,
  merge,
  tap,
  timer,
} from 'rxjs';
import {
  type Freeze,
  type FreezeChange,
  type Gate,
  SENTINEL_PAUSES_MS,
  createFreeze,
} from '../../src/streams/freeze.js';
import { createPollPhases } from '../../src/streams/poll-phases.js';
import { poll } from '../../src/streams/poll.js';
import { slowGate } from '../../src/streams/slow-gate.js';
import { answer, refused, runMarbles } from '../support/time/marbles.js';
import type { Answer } from '../../src/patroni/types.js';

const INTERVAL_MS = 1000;
const DEADLINE_MS = 2000;
const SLOW_INTERVAL_MS = 5000;
const ANSWERS_AFTER_MS = 5;

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** When the upstream freezes in most tests: in the middle of an interval. */
const FREEZE_MS = 10_500;

const ROUTES = ['/primary', '/replica', '/read-only'];

interface Connection {
  readonly route: string;
  readonly atMs: number;
  /** When the answer came, or when patroniglue closed the connection. */
  endedAtMs?: number;
  answered?: boolean;
}

/** An upstream in virtual time, and the polls of some routes with the gates of one freeze. */
interface Scene {
  readonly freeze: Freeze;
  readonly connections: readonly Connection[];
  readonly changes: readonly FreezeChange[];
  /** How often patroniglue tried to connect. */
  attempts(): number;
  /** The open connections without an answer. */
  open(): readonly Connection[];
  /** The connections made since that moment. */
  since(ms: number): readonly Connection[];
  /** Polls a further route from now on. */
  follow(route: string): void;
  /** From now on, the upstream answers nothing. */
  readonly hang: (which?: (route: string) => boolean) => void;
  /** The upstream answers all open and all new requests, except the lost ones. */
  readonly thaw: () => void;
  /** The upstream loses all open requests: it never answers them. */
  lose(): void;
  /** From now on each connection fails at once, for this reason. */
  refuse(cause: Error | undefined): void;
  /** The upstream closes all open connections. */
  readonly close: () => void;
  refresh(): void;
  at(ms: number, body: () => void): void;
}

interface SceneOptions {
  readonly routes?: readonly string[];
  readonly deadlineMs?: number;
  readonly untilMs: number;
  readonly random?: () => number;
}

/** Runs a scene in virtual time, to its end. */
function play(options: SceneOptions, script: (scene: Scene) => void): void {
  const { routes = ROUTES, deadlineMs = DEADLINE_MS, untilMs, random = () => 0.5 } = options;
  runMarbles((_helpers, scheduler) => {
    const connections: Connection[] = [];
    const waiting = new Map<Subscriber<Answer>, Connection>();
    const changes: FreezeChange[] = [];
    const refreshes = new Set<Subscriber<void>>();
    let hangs: (route: string) => boolean = () => false;
    let refusal: Error | undefined;
    let attempts = 0;
    const answerSoon = (subscriber: Subscriber<Answer>, connection: Connection): Subscription =>
      timer(ANSWERS_AFTER_MS, scheduler)
        .pipe(
          map(() => {
            connection.answered = true;
            return answer(200);
          }),
        )
        .subscribe(subscriber);
    const request = (route: string): Observable<Answer> =>
      new Observable((subscriber) => {
        attempts += 1;
        if (refusal) {
          subscriber.error(refusal);
          return undefined;
        }
        const connection: Connection = { route, atMs: scheduler.now() };
        connections.push(connection);
        waiting.set(subscriber, connection);
        if (!hangs(route)) subscriber.add(answerSoon(subscriber, connection));
        return () => {
          waiting.delete(subscriber);
          connection.endedAtMs = scheduler.now();
        };
      });
    const freeze = createFreeze({ intervalMs: INTERVAL_MS, scheduler, random });
    const refresh$ = new Observable<void>((subscriber) => {
      refreshes.add(subscriber);
    });
    const phaseOf = createPollPhases();
    const outcomes = (route: string): Observable<unknown> => {
      const slow = route === '/cluster';
      const intervalMs = slow ? SLOW_INTERVAL_MS : INTERVAL_MS;
      const asked$ = request(route);
      const gate = freeze.gate(asked$, slow);
      return poll(asked$, {
        intervalMs,
        phaseMs: phaseOf(intervalMs),
        deadlineMs,
        refresh$: merge(refresh$, freeze.thaw$),
        gate: slow ? slowGate(gate, freeze, scheduler) : gate,
        scheduler,
        classify: refused,
      });
    };
    const all = merge(...routes.map(outcomes), freeze.change$.pipe(tap((change) => changes.push(change)))).subscribe();
    const scene: Scene = {
      freeze,
      connections,
      changes,
      attempts: () => attempts,
      open: () => [...waiting.values()],
      since: (ms) => connections.filter(({ atMs }) => atMs >= ms),
      follow(route) {
        all.add(outcomes(route).subscribe());
      },
      hang(which = () => true) {
        hangs = which;
      },
      thaw() {
        hangs = () => false;
        for (const [subscriber, connection] of waiting) subscriber.add(answerSoon(subscriber, connection));
      },
      lose() {
        waiting.clear();
      },
      refuse(cause) {
        refusal = cause;
      },
      close() {
        for (const subscriber of [...waiting.keys()]) subscriber.error(new Error('reset'));
      },
      refresh() {
        for (const subscriber of refreshes) subscriber.next();
      },
      at(ms, body) {
        scheduler.schedule(body, ms - scheduler.now());
      },
    };
    script(scene);
    scheduler.schedule(() => {
      all.unsubscribe();
      assert.equal(waiting.size, 0, 'nothing is open after the end');
    }, untilMs);
  });
}

/** The moments from `fromMs` to `untilMs`, one every `stepMs`. */
function* through(fromMs: number, untilMs: number, stepMs: number): Generator<number> {
  for (let ms = fromMs; ms < untilMs; ms += stepMs) yield ms;
}

describe('a frozen upstream', () => {
  it('has one connection that waits, once the polls in flight have come to their deadline', () => {
    play({ untilMs: 20_000 }, (scene) => {
      scene.at(FREEZE_MS, scene.hang);
      for (const ms of through(FREEZE_MS + INTERVAL_MS + DEADLINE_MS, 20_000, 100)) {
        scene.at(ms, () => {
          assert.equal(scene.open().length, 1);
        });
      }
    });
  });

  it('costs at most 14 connections in 40 seconds, whenever it begins', () => {
    for (const freezeMs of through(10_000, 11_000, 37)) {
      play({ untilMs: freezeMs + 40_000 }, (scene) => {
        scene.at(freezeMs, scene.hang);
        scene.at(freezeMs + 39_999, () => {
          assert.ok(scene.since(freezeMs).length <= 14, `${scene.since(freezeMs).length} connections`);
        });
      });
    }
  });

  it('costs fewer than 800 connections in 12 hours, however the pauses turn out', () => {
    for (const random of [() => 0, () => 0.999]) {
      play({ untilMs: 12 * HOUR_MS + FREEZE_MS, random }, (scene) => {
        scene.at(FREEZE_MS, scene.hang);
        scene.at(FREEZE_MS + 12 * HOUR_MS - 1, () => {
          assert.ok(scene.since(FREEZE_MS).length < 800, `${scene.since(FREEZE_MS).length} connections`);
        });
      });
    }
  });

  it('replaces what waits after pauses that grow from 2 to 60 s, less the jitter', () => {
    for (const share of [0, 1]) {
      play({ untilMs: 10 * MINUTE_MS, random: () => share }, (scene) => {
        scene.at(FREEZE_MS, scene.hang);
        scene.at(10 * MINUTE_MS - 1, () => {
          const begun = scene.since(FREEZE_MS + DEADLINE_MS + INTERVAL_MS).map(({ atMs }) => atMs);
          const pauses = begun.slice(1).map((atMs, index) => Math.round(atMs - (begun[index] ?? 0)));
          const expected = [4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1000 * (1 - 0.05 * share));
          assert.deepEqual(pauses.slice(0, 7), expected);
          const longest = Math.max(...pauses);
          assert.ok(longest <= SENTINEL_PAUSES_MS.longest, `${longest} ms`);
        });
      });
    }
  });

  it('is polled for every route within milliseconds of the thaw, whenever it comes', () => {
    for (const thawMs of through(FREEZE_MS + 10, FREEZE_MS + 30_000, 777)) {
      play({ untilMs: thawMs + 5000 }, (scene) => {
        scene.at(FREEZE_MS, scene.hang);
        scene.at(thawMs, scene.thaw);
        scene.at(thawMs + INTERVAL_MS + 20, () => {
          const answered = scene.connections.filter(({ endedAtMs = 0, answered }) => answered && endedAtMs >= thawMs);
          assert.deepEqual(new Set(answered.map(({ route }) => route)), new Set(ROUTES));
        });
      });
    }
  });

  it('is polled for every route when it closes what waits', () => {
    play({ untilMs: 40_000 }, (scene) => {
      scene.at(FREEZE_MS, scene.hang);
      scene.at(30_000, () => {
        scene.hang(() => false);
        scene.close();
        assert.deepEqual(
          scene.since(30_000).map(({ route }) => route),
          ROUTES,
        );
      });
    });
  });

  it('is found to answer within a minute where the request that waits was lost', () => {
    play({ untilMs: 12 * MINUTE_MS, random: () => 0 }, (scene) => {
      scene.at(FREEZE_MS, scene.hang);
      scene.at(10 * MINUTE_MS, () => {
        scene.lose();
        scene.hang(() => false);
      });
      scene.at(11 * MINUTE_MS + 20, () => {
        const routes = scene.since(10 * MINUTE_MS).map(({ route }) => route);
        assert.deepEqual(new Set(routes), new Set(ROUTES));
      });
    });
  });

  it('is not polled when it is told of, and not for a route that somebody asks for only now', () => {
    play({ untilMs: 40_000 }, (scene) => {
      scene.at(FREEZE_MS, scene.hang);
      scene.at(31_000, () => {
        for (let time = 0; time < 100; time += 1) scene.refresh();
        scene.follow('/sync');
      });
      scene.at(35_000, () => {
        assert.deepEqual(scene.since(31_000), []);
      });
      scene.at(36_000, scene.thaw);
      scene.at(36_020, () => {
        assert.deepEqual(new Set(scene.since(36_000).map(({ route }) => route)), new Set([...ROUTES, '/sync']));
      });
    });
  });

  it('is asked with each tick where it refuses connections: that costs it nothing', () => {
    play({ untilMs: 30_000 }, (scene) => {
      scene.at(FREEZE_MS, () => {
        scene.refuse(new Error('ECONNREFUSED'));
      });
      scene.at(20_000, () => {
        scene.refuse(undefined);
      });
      scene.at(20_000 + INTERVAL_MS, () => {
        assert.deepEqual(scene.since(20_000).length, ROUTES.length);
        assert.deepEqual(scene.changes, []);
      });
    });
  });

  it('that refuses connections after all is asked with each tick again', () => {
    play({ untilMs: 40_000 }, (scene) => {
      scene.at(FREEZE_MS, scene.hang);
      scene.at(25_000, () => {
        scene.refuse(new Error('ECONNREFUSED'));
        scene.close();
        assert.equal(scene.freeze.isFrozen(), false);
        const before = scene.attempts();
        scene.at(35_000, () => {
          assert.equal(scene.attempts() - before, 10 * ROUTES.length);
        });
      });
    });
  });

  it('ends where its polls fail at once: a Patroni that is not running is not frozen', () => {
    play({ untilMs: 40_000 }, (scene) => {
      scene.at(FREEZE_MS, scene.hang);
      scene.at(25_000, () => {
        scene.refuse(new Error('ECONNREFUSED'));
        scene.close();
        assert.equal(scene.freeze.sinceMs(), undefined);
        const [, ended] = scene.changes;
        assert.ok(ended?.kind === 'thawed');
        assert.equal(ended.failure?.reason, 'refused');
      });
    });
  });

  it('is told of once, with its beginning and its length, also where it closes what waits again and again', () => {
    play({ untilMs: 60_000 }, (scene) => {
      scene.at(FREEZE_MS, scene.hang);
      for (const ms of through(20_000, 40_000, 4000)) scene.at(ms, scene.close);
      scene.at(30_000, () => {
        assert.ok((scene.freeze.sinceMs() ?? 0) >= FREEZE_MS);
        assert.ok((scene.freeze.sinceMs() ?? Infinity) < FREEZE_MS + INTERVAL_MS);
      });
      scene.at(45_000, scene.thaw);
      scene.at(50_000, () => {
        assert.deepEqual(
          scene.changes.map(({ kind }) => kind),
          ['frozen', 'thawed'],
        );
        const [begun, ended] = scene.changes;
        assert.ok(begun?.kind === 'frozen' && ended?.kind === 'thawed');
        const endedAtMs = begun.sinceMs + ended.lastedMs; // the sentinel is answered, and then a poll
        assert.ok(endedAtMs >= 45_000 && endedAtMs <= 45_000 + 2 * ANSWERS_AFTER_MS, `${endedAtMs} ms`);
        assert.equal(scene.freeze.sinceMs(), undefined);
      });
    });
  });
});

describe('an upstream that is not frozen', () => {
  for (const deadlineMs of [300, 900, 2000, 3500]) {
    it(`and hangs for one route alone is polled for all, with a deadline of ${deadlineMs} ms`, () => {
      play({ untilMs: 60_000, deadlineMs }, (scene) => {
        scene.at(FREEZE_MS, () => {
          scene.hang((route) => route === '/primary');
        });
        scene.at(50_500, () => {
          for (const route of ['/replica', '/read-only']) {
            const polls = scene.since(10_500).filter((connection) => connection.route === route);
            assert.equal(polls.length, 40, route);
          }
          assert.deepEqual(scene.changes, []);
        });
      });
    });
  }

  it('and answers later than the deadline is polled no more often than before', () => {
    play({ untilMs: 60_000 }, (scene) => {
      scene.at(FREEZE_MS, scene.hang);
      for (const ms of through(FREEZE_MS, 50_000, DEADLINE_MS + 300)) {
        scene.at(ms, () => {
          scene.thaw();
          scene.hang();
        });
      }
      scene.at(50_000, () => {
        const polls = scene.since(20_000).length;
        assert.ok(polls <= 30 * ROUTES.length, `${polls} polls in 30 s`);
      });
    });
  });
});

describe('a slow route', () => {
  const routes = [...ROUTES, '/cluster'];

  it('that is given up again and again is asked after pauses that grow, and does not freeze the others', () => {
    play({ routes, untilMs: 6 * MINUTE_MS }, (scene) => {
      scene.at(FREEZE_MS, () => {
        scene.hang((route) => route === '/cluster');
      });
      scene.at(6 * MINUTE_MS - 1, () => {
        const begun = scene.since(FREEZE_MS).filter(({ route }) => route === '/cluster');
        const pauses = begun.slice(1).map(({ atMs }, index) => Math.round(atMs - (begun[index]?.atMs ?? 0)));
        assert.deepEqual(pauses.slice(0, 5), [10_000, 20_000, 40_000, 60_000, 60_000]);
        assert.deepEqual(scene.changes, []);
      });
    });
  });

  it('is asked each slow interval again after an answer', () => {
    play({ routes, untilMs: 4 * MINUTE_MS }, (scene) => {
      scene.at(FREEZE_MS, () => {
        scene.hang((route) => route === '/cluster');
      });
      scene.at(MINUTE_MS, scene.thaw);
      scene.at(4 * MINUTE_MS - 1, () => {
        const begun = scene.since(MINUTE_MS + 60_000).filter(({ route }) => route === '/cluster');
        assert.equal(begun.length, 24);
      });
    });
  });

  it('is asked no more than once in ten seconds where thaw follows thaw', () => {
    play({ routes, untilMs: 2 * MINUTE_MS }, (scene) => {
      scene.at(FREEZE_MS, scene.hang);
      for (const ms of through(FREEZE_MS + 4000, 2 * MINUTE_MS, 4000)) scene.at(ms, scene.close);
      scene.at(2 * MINUTE_MS - 1, () => {
        const begun = scene.since(FREEZE_MS).filter(({ route }) => route === '/cluster');
        assert.ok(begun.length >= 2 && begun.length <= 13, `${begun.length} times`);
      });
    });
  });

  it('is not asked in a freeze, and at once after it', () => {
    play({ routes, untilMs: MINUTE_MS }, (scene) => {
      scene.at(FREEZE_MS, scene.hang);
      scene.at(40_000, () => {
        const asked = scene.since(FREEZE_MS + DEADLINE_MS + INTERVAL_MS);
        assert.deepEqual(new Set(asked.map(({ route }) => route)).size, 1);
        scene.thaw();
      });
      scene.at(40_020, () => {
        assert.deepEqual(new Set(scene.since(40_000).map(({ route }) => route)), new Set(routes));
      });
    });
  });
});

describe('what is known of a freeze', () => {
  const DEADLINE = { reason: 'timed-out', message: 'x' } as const;

  /** Two routes with a clock that the test moves. The test ends each of their requests. */
  function known(startMs = 0) {
    let nowMs = startMs;
    const scheduler = {
      now: () => nowMs,
      schedule: new VirtualTimeScheduler().schedule.bind(new VirtualTimeScheduler()),
    };
    const freeze = createFreeze({ intervalMs: INTERVAL_MS, scheduler, random: () => 0 });
    const requests = [new Subject<Answer>(), new Subject<Answer>()] as const;
    const gates = requests.map((request) => freeze.gate(request, false));
    const slow = freeze.gate(NEVER, true);
    const changes: FreezeChange[] = [];
    let thaws = 0;
    const subscription = merge(
      freeze.change$.pipe(tap((change) => changes.push(change))),
      freeze.thaw$.pipe(tap(() => (thaws += 1))),
    ).subscribe({
      error: assert.ifError,
    });
    return {
      freeze,
      requests,
      gates,
      slow,
      changes,
      thaws: () => thaws,
      end: () => {
        subscription.unsubscribe();
      },
      answered: (gate: Gate | undefined, atMs: number): void => {
        nowMs = atMs;
        gate?.onOutcome({ kind: 'answered', answer: answer(200), sentAtMs: atMs - 5, endedAtMs: atMs });
      },
      givenUp: (gate: Gate | undefined, atMs: number, sentAtMs = atMs - DEADLINE_MS): void => {
        nowMs = atMs;
        gate?.onOutcome({ kind: 'failed', failure: DEADLINE, sentAtMs, endedAtMs: atMs, givenUp: true });
      },
      notConnected: (gate: Gate | undefined, atMs: number): void => {
        nowMs = atMs;
        gate?.onOutcome({ kind: 'failed', failure: DEADLINE, sentAtMs: atMs - 900, endedAtMs: atMs });
      },
      refused: (gate: Gate | undefined, atMs: number): void => {
        nowMs = atMs;
        gate?.onOutcome({ kind: 'failed', failure: refused('x'), sentAtMs: atMs, endedAtMs: atMs });
      },
    };
  }

  it('begins with the first poll that is given up, also where nothing was ever answered', () => {
    const { freeze, gates, changes, givenUp, end } = known();
    assert.deepEqual([freeze.isFrozen(), freeze.sinceMs(), freeze.thawedAtMs()], [false, undefined, -Infinity]);
    givenUp(gates[0], 2000);
    assert.deepEqual([freeze.isFrozen(), freeze.sinceMs()], [true, 0]);
    assert.deepEqual(changes, [{ kind: 'frozen', sinceMs: 0 }]);
    end();
  });

  it('does not begin where another route was answered since, or during the last interval, nor by a slow route, nor by a refusal', () => {
    const { freeze, gates, slow, answered, givenUp, refused: refuse, end } = known();
    givenUp(slow, 2000);
    assert.equal(freeze.isFrozen(), false);
    refuse(gates[0], 2000);
    assert.equal(freeze.isFrozen(), false);
    answered(gates[1], 3000);
    givenUp(gates[0], 3400, 3000);
    givenUp(gates[0], 4000, 2999);
    givenUp(gates[0], 4000, 3900);
    assert.equal(freeze.isFrozen(), false);
    givenUp(gates[0], 4001, 3001);
    assert.equal(freeze.isFrozen(), true);
    end();
  });

  it('does not begin by a poll that was given up soon after it was sent, while the last interval had an answer', () => {
    const { freeze, gates, answered, givenUp, end } = known();
    answered(gates[1], 3000);
    givenUp(gates[0], 3900, 3500);
    assert.equal(freeze.isFrozen(), false);
    givenUp(gates[0], 4100, 3500);
    assert.equal(freeze.isFrozen(), true);
    end();
  });

  it('lets a route be polled once more whose last poll was answered, and no other', () => {
    const { gates, answered, givenUp, end } = known();
    const mayPoll = (): readonly boolean[] => gates.map((gate) => gate.mayPoll());
    answered(gates[1], 1000);
    assert.deepEqual(mayPoll(), [true, true]);
    givenUp(gates[0], 4000);
    assert.deepEqual(mayPoll(), [false, true]);
    givenUp(gates[1], 5000);
    assert.deepEqual(mayPoll(), [false, false]);
    end();
  });

  it('lasts while polls fail without a connection, and ends with a refusal once the sentinel is gone', () => {
    const { freeze, gates, requests, changes, givenUp, refused: refuse, notConnected, end } = known();
    givenUp(gates[0], 2000);
    refuse(gates[1], 2500);
    assert.deepEqual([freeze.sinceMs(), changes.length], [0, 1], 'a refusal beside the sentinel');
    requests[0].complete();
    assert.equal(freeze.isFrozen(), false);
    notConnected(gates[0], 2600);
    assert.deepEqual([freeze.sinceMs(), changes.length], [0, 1], 'a full accept queue');
    refuse(gates[0], 3000);
    assert.equal(freeze.sinceMs(), undefined);
    assert.deepEqual(changes.at(-1), { kind: 'thawed', lastedMs: 3000, failure: refused('x') });
    end();
  });

  it('ends with an answer to whichever route, though the sentinel has none, and then all are polled', () => {
    const { freeze, gates, requests, changes, thaws, answered, givenUp, end } = known();
    givenUp(gates[0], 3000);
    assert.deepEqual([requests[0].observed, thaws()], [true, 0]);
    answered(gates[1], 4500);
    assert.deepEqual([requests[0].observed, thaws()], [false, 1]);
    assert.deepEqual([freeze.isFrozen(), freeze.sinceMs(), freeze.thawedAtMs()], [false, undefined, 4500]);
    assert.deepEqual(changes.at(-1), { kind: 'thawed', lastedMs: 3500 });
    answered(gates[1], 4600);
    assert.deepEqual([thaws(), freeze.thawedAtMs(), changes.length], [1, 4500, 2], 'and once');
    end();
  });
});
