import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { analyse, changesOf, maySayYes, type Recording, saysYes, unfounded } from './safety/analysis.js';
import { type Event, inTurn } from './safety/event.js';
import { brokenRules, limitsOf } from './safety/rules.js';
import { intersect, longestMs, shared, subtract, totalMs, union } from './safety/spans.js';
import { append, type Place, type Said, type Stretch, type Track } from './safety/track.js';

const EVERY_MS = 10;
const TOOK_MS = 2;

/** A place that says each of these for so long, asked every 10 ms from 0 on. */
function track(node: string, by: Place['by'], ...saying: readonly (readonly [Said, number])[]): Track {
  const stretches: Stretch[] = [];
  let sentMs = 0;
  let untilMs = 0;
  for (const [said, forMs] of saying) {
    untilMs += forMs;
    for (; sentMs < untilMs; sentMs += EVERY_MS) append(stretches, { sentMs, endMs: sentMs + TOOK_MS, said });
  }
  return { node, by, stretches };
}

/** `ttl` 4 s, `interval` 1 s. */
function recording(tracks: readonly Track[], events: readonly Event[] = []): Recording {
  return { ttlMs: 4000, intervalMs: 1000, tracks, events };
}

const switchover: Event = { kind: 'switchover', node: 'a', startMs: 0 };

describe('spans', () => {
  const span = (fromMs: number, toMs: number): { fromMs: number; toMs: number } => ({ fromMs, toMs });

  it('unite where they touch', () => {
    assert.deepEqual(union([span(5, 9), span(0, 2), span(2, 3), span(6, 7)]), [span(0, 3), span(5, 9)]);
  });

  it('are measured: the longest, and all together', () => {
    assert.deepEqual([longestMs([span(0, 2), span(5, 9)]), longestMs([])], [4, 0]);
    assert.equal(totalMs([span(0, 2), span(1, 3), span(5, 9)]), 7);
  });

  it('are cut with others, and without others', () => {
    assert.deepEqual(intersect([span(0, 4), span(6, 8)], [span(3, 7)]), [span(3, 4), span(6, 7)]);
    assert.deepEqual(subtract([span(0, 4), span(6, 8)], [span(3, 7)]), [span(0, 3), span(7, 8)]);
    assert.deepEqual(subtract([span(0, 4)], []), [span(0, 4)]);
  });

  it('are shared where two of three sets have them', () => {
    assert.deepEqual(shared([[span(0, 5)], [span(4, 7)], [span(6, 9)]]), [span(4, 5), span(6, 7)]);
  });
});

describe('the samples of a place', () => {
  it('become stretches in which the same was said', () => {
    const stretches: Stretch[] = [];
    append(stretches, { sentMs: 0, endMs: 2, said: 'yes' });
    append(stretches, { sentMs: 10, endMs: 15, said: 'yes' });
    append(stretches, { sentMs: 20, endMs: 21, said: 'no' });
    assert.deepEqual(stretches, [
      { said: 'yes', first: { sentMs: 0, endMs: 2 }, last: { sentMs: 10, endMs: 15 }, samples: 2, slowestMs: 5 },
      { said: 'no', first: { sentMs: 20, endMs: 21 }, last: { sentMs: 20, endMs: 21 }, samples: 1, slowestMs: 1 },
    ]);
  });

  it('are a 200 from the first one until another answer', () => {
    assert.deepEqual(saysYes(track('a', 'patroni', ['no', 100], ['yes', 100], ['no', 100])), [
      { fromMs: 102, toMs: 202 },
    ]);
  });

  it('are a 200 until a question that is not answered', () => {
    assert.deepEqual(saysYes(track('a', 'patroni', ['yes', 100], ['nothing', 100])), [{ fromMs: 2, toMs: 100 }]);
  });

  it('may be a 200 to others from the last answer before to the first one after', () => {
    const said = track('a', 'patroni', ['no', 100], ['yes', 100], ['no', 100]);
    assert.deepEqual(maySayYes(said), [{ fromMs: 90, toMs: 202 }]);
    assert.deepEqual(maySayYes(said, [{ fromMs: 195, toMs: 900 }]), [{ fromMs: 90, toMs: 195 }]);
  });

  it('may be a 200 to others while a question is not answered, except where the place is known to be silent', () => {
    const said = track('a', 'patroni', ['no', 100], ['nothing', 100], ['no', 100]);
    assert.deepEqual(maySayYes(said), [{ fromMs: 90, toMs: 202 }]);
    assert.deepEqual(maySayYes(said, [{ fromMs: 95, toMs: 150 }]), [
      { fromMs: 90, toMs: 95 },
      { fromMs: 150, toMs: 202 },
    ]);
  });
});

describe('a plan', () => {
  it('spreads the kinds over the whole, and kills node and Patroni in turn', () => {
    assert.deepEqual(inTurn({ switchovers: 4, kills: 2, freezes: 1 }), [
      'switchover',
      'node killed',
      'switchover',
      'Patroni frozen',
      'switchover',
      'Patroni killed',
      'switchover',
    ]);
  });
});

describe('a 200 of patroniglue', () => {
  const founded = [{ fromMs: 0, toMs: 1000 }];
  const past = (...saying: readonly (readonly [Said, number])[]): number =>
    longestMs(unfounded(track('a', 'patroniglue', ...saying), founded, 4000));

  it('is founded for the time to live after the last of Patroni', () => {
    assert.equal(past(['yes', 5000], ['no', 1000]), 0);
  });

  it('is unfounded after that', () => {
    assert.equal(past(['yes', 5500], ['no', 1000]), 490);
  });

  it('is unfounded without one of Patroni, even once', () => {
    assert.equal(past(['no', 5500], ['yes', 10], ['no', 100]), TOOK_MS);
    assert.equal(past(['no', 4500], ['yes', 10], ['no', 100]), 0);
  });

  it('is founded by what Patroni may have said in the moment before it fell silent', () => {
    const tracks = [
      track('a', 'patroni', ['yes', 1000], ['nothing', 9000]),
      track('a', 'patroniglue', ['yes', 5000], ['no', 5000]),
    ];
    const frozen = (fromMs: number): Event => ({ ...switchover, silent: { fromMs, toMs: 9000 } });
    assert.equal(analyse(recording(tracks, [frozen(1001)])).unfoundedMs, 0);
    assert.equal(analyse(recording(tracks, [frozen(900)])).unfoundedMs, 90);
  });

  it('is founded by what Patroni may have said to it alone, before it answers others again', () => {
    const tracks = [
      track('a', 'patroni', ['yes', 1000], ['nothing', 9000], ['no', 5000]),
      track('a', 'patroniglue', ['yes', 5000], ['no', 4700], ['yes', 800], ['no', 4500]),
    ];
    const frozen = (toMs: number): Event => ({ ...switchover, silent: { fromMs: 1001, toMs } });
    assert.equal(analyse(recording(tracks, [frozen(9600)])).unfoundedMs, 0);
    assert.equal(analyse(recording(tracks, [frozen(20_000)])).unfoundedMs, 788);
  });
});

describe('a change of Patroni', () => {
  const changes = (
    patroni: readonly (readonly [Said, number])[],
    ours: readonly (readonly [Said, number])[],
  ): readonly (readonly [string, number, number, boolean])[] =>
    changesOf(track('a', 'patroni', ...patroni), track('a', 'patroniglue', ...ours)).map(
      ({ to, lagMs, surelyMs, seen }) => [to, lagMs, surelyMs, seen],
    );

  it('takes until patroniglue says so', () => {
    assert.deepEqual(
      changes(
        [
          ['yes', 1000],
          ['no', 2000],
          ['yes', 2000],
        ],
        [
          ['yes', 1700],
          ['no', 1800],
          ['yes', 1500],
        ],
      ),
      [
        ['no', 700, 688, true],
        ['yes', 500, 488, true],
      ],
    );
  });

  it('takes no time where patroniglue says so already', () => {
    assert.deepEqual(
      changes(
        [
          ['yes', 1000],
          ['no', 2000],
        ],
        [['no', 3000]],
      ),
      [['no', 0, 0, true]],
    );
  });

  it('is one only where Patroni answers before it and after', () => {
    assert.deepEqual(
      changes(
        [
          ['yes', 1000],
          ['nothing', 10],
          ['no', 2000],
        ],
        [
          ['yes', 2000],
          ['no', 1000],
        ],
      ),
      [],
    );
  });

  it('takes no longer than it lasts', () => {
    assert.deepEqual(
      changes(
        [
          ['yes', 1000],
          ['no', 300],
          ['yes', 1000],
        ],
        [['yes', 2300]],
      ),
      [
        ['no', 300, 300, false],
        ['yes', 0, 0, true],
      ],
    );
  });

  it('that is never seen takes until the end', () => {
    assert.deepEqual(
      changes(
        [
          ['yes', 1000],
          ['no', 3000],
        ],
        [['yes', 4000]],
      ),
      [['no', 2990, 2988, false]],
    );
  });
});

describe('an event', () => {
  /** `a` is silent from 2 s on; `b` is the primary from 20 s on; then `a` answers, and is one no more. */
  const silent: Event = {
    ...switchover,
    kind: 'Patroni frozen',
    startMs: 1900,
    silent: { fromMs: 2000, toMs: 20_100 },
  };
  const silence = (ours: readonly Track[]): Recording =>
    recording(
      [
        track('a', 'patroni', ['yes', 2000], ['nothing', 18_100], ['yes', 50], ['no', 5000]),
        track('b', 'patroni', ['no', 20_000], ['yes', 5150]),
        ...ours,
      ],
      [silent],
    );
  const good = silence([
    track('a', 'patroniglue', ['yes', 5500], ['no', 14_700], ['yes', 400], ['no', 4550]),
    track('b', 'patroniglue', ['no', 20_700], ['yes', 4450]),
  ]);
  const bad = silence([
    track('a', 'patroniglue', ['yes', 20_100], ['nothing', 10], ['no', 5040]),
    track('b', 'patroniglue', ['no', 20_050], ['yes', 5100]),
  ]);

  it('shows how long two nodes said 200, and how long none', () => {
    const tracks = [
      track('a', 'patroni', ['yes', 1000], ['no', 2000]),
      track('b', 'patroni', ['no', 1200], ['yes', 1800]),
      track('a', 'patroniglue', ['yes', 1600], ['no', 1400]),
      track('b', 'patroniglue', ['no', 1300], ['yes', 1700]),
    ];
    const [found] = analyse(recording(tracks, [switchover])).events;
    assert.deepEqual(found?.two, { patroni: 0, patroniglue: 300 });
    assert.deepEqual(found.none, { patroni: 200, patroniglue: 2 }, 'ours: before the first sample was answered');
    assert.equal(found.silence, undefined);
  });

  it('lasts until the next one', () => {
    const tracks = [
      track('a', 'patroni', ['yes', 1000], ['no', 500], ['yes', 3000]),
      track('a', 'patroniglue', ['yes', 1000], ['no', 700], ['yes', 2800]),
    ];
    const { events } = analyse(
      recording(tracks, [
        { ...switchover, startMs: 500 },
        { ...switchover, startMs: 1602 },
      ]),
    );
    assert.deepEqual(
      events.map(({ none }) => none),
      [
        { patroni: 500, patroniglue: 600 },
        { patroni: 0, patroniglue: 100 },
      ],
    );
  });

  it('with a silence shows when its 200 ended, and how long before the next primary', () => {
    const [found] = analyse(good).events;
    assert.deepEqual(found?.silence, {
      twoMs: 0,
      until503Ms: 3502,
      marginMs: 14_500,
    });
    assert.deepEqual(found.two, { patroni: 50, patroniglue: 0 });
  });

  it('breaks no rule where all is well', () => {
    assert.deepEqual(brokenRules(analyse(good), limitsOf(good, 50)), []);
  });

  it('with a witness breaks a rule where the 503 comes too shortly before the next primary', () => {
    const witnessed = { ttlMs: 20_000, loopWaitMs: 1000, retryTimeoutMs: 3000 };
    assert.deepEqual(brokenRules(analyse(good), limitsOf({ ...good, witnessed }, 50)), [
      'event 1 (Patroni frozen, a): the 503 came only 14500 ms before another node was primary',
    ]);
    assert.deepEqual(
      brokenRules(analyse(good), limitsOf({ ...good, witnessed: { ...witnessed, ttlMs: 19_000 } }, 50)),
      [],
    );
  });

  it('breaks every rule that it breaks', () => {
    assert.deepEqual(brokenRules(analyse(bad), limitsOf(bad, 50)), [
      'event 1 (Patroni frozen, a): two patroniglues said 200 for 48 ms in the silence',
      'event 1 (Patroni frozen, a): another node was primary 98 ms before the 503',
      'event 1 (Patroni frozen, a): 200 for 18100 ms of the silence',
      'a patroniglue said 200 for 14090 ms longer than the time to live allows',
      '1 questions to patroniglue were not answered',
    ]);
    const late = recording(
      [
        track('a', 'patroni', ['yes', 1000], ['no', 9000]),
        track('b', 'patroni', ['no', 1000], ['yes', 9000]),
        track('a', 'patroniglue', ['yes', 6000], ['no', 4000]),
        track('b', 'patroniglue', ['no', 1500], ['yes', 8500]),
      ],
      [switchover],
    );
    assert.deepEqual(brokenRules(analyse(late), limitsOf(late, 50)), [
      'event 1 (switchover, a): two patroniglues said 200 for 4500 ms longer than two Patronis',
      "a: Patroni's change to 'no' was seen after 4988 ms",
      'a patroniglue said 200 for 988 ms longer than the time to live allows',
    ]);
  });
});
