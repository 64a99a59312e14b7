import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createAgentHandler } from '../../src/agent-check/handler.js';
import { createRouteCounters } from '../../src/metrics/route-counters.js';
import { canonicalRoute } from '../../src/patroni/routes.js';
import { type Heartbeat, wasMostlyStill } from '../../src/streams/heartbeat.js';
import type { Answer, Snapshot, CanonicalRoute } from '../../src/patroni/types.js';
import type { AgentReply, Question } from '../../src/agent-check/types.js';

const NOW_MS = 100_000;
const PATIENCE_MS = 2000;
const NOTHING: Question = { kind: 'nothing' };
const line = (text: string): Question => ({ kind: 'line', text });
const answer = (status: number): Answer => ({ status, body: Buffer.from('{}') });
const fresh = (status: number): Snapshot => ({
  kind: 'fresh',
  answer: answer(status),
  sentAtMs: NOW_MS - 1,
  freshUntilMs: NOW_MS + 1,
});
const pending = (forMs: number): Snapshot => ({ kind: 'pending', sinceMs: NOW_MS - forMs });

type Standby = 'maint' | 'drain' | 'down';

type Stillness = Pick<Heartbeat, 'stoodStillMs'>;
const neverStill: Stillness = { stoodStillMs: () => 0 };
const stillness = (heartbeat: Stillness) => ({
  stoodStillMs: heartbeat.stoodStillMs,
  wasMostlyStill: (fromMs: number, toMs: number) => wasMostlyStill(heartbeat, fromMs, toMs),
});
/** A standstill of patroniglue: its beginning and its end, in milliseconds before now. */
const stillFor = (beganAgoMs: number, endedAgoMs: number): Stillness => ({
  stoodStillMs: (fromMs, toMs) =>
    Math.max(0, Math.min(NOW_MS - endedAgoMs, toMs) - Math.max(NOW_MS - beganAgoMs, fromMs)),
});

/** Words that HAProxy 2.6 acts on (`tcpcheck_agent_expect_reply`), besides weights and `maxconn:`. */
const WORDS = ['up', 'down', 'stopped', 'fail', 'ready', 'drain', 'maint'];
const actsOn = (reply: AgentReply): boolean =>
  (reply.line.split('#')[0] ?? '')
    .split(/[ \t,]+/)
    .some((word) => WORDS.includes(word.toLowerCase()) || /^\d.*%/.test(word) || /^maxconn:/i.test(word));

describe('a reply to an agent check', () => {
  const checks = createRouteCounters<AgentReply['state']>();
  const replyTo = (
    question: Question,
    snapshots: Readonly<Record<string, Snapshot>>,
    standby: Standby = 'maint',
    route = '/primary',
    heartbeat = neverStill,
  ): AgentReply =>
    createAgentHandler(
      {
        ask: (asked) => snapshots[asked],
        nowMs: () => NOW_MS,
        pollTimeoutMs: () => PATIENCE_MS,
        ...stillness(heartbeat),
      },
      checks.count,
    )(question, { route, standby });

  it('is up, ready and of full weight while Patroni says 200', () => {
    const reply = replyTo(NOTHING, { '/primary': fresh(200) });
    assert.deepEqual(reply, { route: '/primary', state: 'up', line: 'up ready 100%' });
  });

  for (const [standby, expected] of [
    ['maint', 'up maint'],
    ['drain', 'up drain'],
    ['down', 'down ready # Patroni answers 503'],
  ] as const) {
    it(`is "${expected}" while Patroni says anything else, with agent.standby: ${standby}`, () => {
      const reply = replyTo(NOTHING, { '/primary': fresh(503) }, standby);
      assert.deepEqual(reply, { route: '/primary', state: 'standby', line: expected });
    });
  }

  it('names the witness if that says 503, with agent.standby: down', () => {
    const witnessed: Snapshot = {
      ...{ kind: 'fresh', answer: answer(503), sentAtMs: NOW_MS - 1, freshUntilMs: NOW_MS + 1 },
      witness: { source: 'etcd3', why: 'the leader key names node2' },
    };
    assert.equal(replyTo(NOTHING, { '/primary': witnessed }, 'down').line, 'down ready # the witness says 503');
  });

  it('is down from the moment at which the answer ends, and says why', () => {
    const failure = { reason: 'timed-out', message: 'x' } as const;
    const ended: Snapshot = {
      ...{ kind: 'fresh', answer: answer(200), sentAtMs: NOW_MS - 4000, freshUntilMs: NOW_MS },
      failures: { count: 2, sinceMs: NOW_MS - 3000, last: failure },
    };
    const reply = replyTo(NOTHING, { '/primary': ended });
    assert.deepEqual(reply, {
      ...{ route: '/primary', state: 'down' },
      line: 'down ready # stale: poll timed out for 3.0 s',
    });
  });

  it('changes nothing while the first poll may be under way, and is down from then on', () => {
    assert.deepEqual(replyTo(NOTHING, { '/primary': pending(PATIENCE_MS - 1) }), {
      ...{ route: '/primary', state: 'unchanged' },
      line: 'no-answer-from-Patroni-yet',
    });
    assert.equal(
      replyTo(NOTHING, { '/primary': pending(PATIENCE_MS) }).line,
      'down ready # pending: no answer for 2.0 s',
    );
  });

  it('changes nothing while an answer has just ended and no poll has failed: it is patroniglue that stood still', () => {
    const ended = (forMs: number): Snapshot => ({
      ...{ kind: 'fresh', answer: answer(200), sentAtMs: NOW_MS - 4000 - forMs, freshUntilMs: NOW_MS - forMs },
    });
    assert.equal(replyTo(NOTHING, { '/primary': ended(PATIENCE_MS - 1) }).line, 'no-answer-from-Patroni-yet');
    assert.match(
      replyTo(NOTHING, { '/primary': ended(PATIENCE_MS) }).line,
      /^down ready # stale: no answer for 6\.0 s$/,
    );
  });

  describe('after patroniglue stood still', () => {
    const failures = { count: 1, sinceMs: NOW_MS - 9000, last: { reason: 'refused', message: 'x' } } as const;
    const lease = { lastSeenAtMs: NOW_MS - 25_000, endsAtMs: NOW_MS - 8000 };
    /** A stale answer: asked for `agoMs` ago, ended 4 s later unless `endedAgoMs` is given. */
    const asked = (agoMs: number, endedAgoMs = agoMs - 4000): Extract<Snapshot, { kind: 'stale' }> => ({
      ...{ kind: 'stale', answer: answer(200), sentAtMs: NOW_MS - agoMs, sinceMs: NOW_MS - endedAgoMs },
    });
    const replyAfter = (snapshot: Snapshot, fromMs: number, toMs: number): string =>
      replyTo(NOTHING, { '/primary': snapshot }, 'maint', '/primary', stillFor(fromMs, toMs)).line;
    const UNCHANGED = 'no-answer-from-Patroni-yet';

    it('changes nothing for as long as a poll may take, from the end of the standstill', () => {
      assert.equal(replyAfter(asked(13_000), 12_500, 0), UNCHANGED);
      assert.equal(replyAfter(asked(15_000), 14_500, PATIENCE_MS - 1), UNCHANGED);
      assert.equal(replyAfter(asked(15_000), 14_500, PATIENCE_MS), 'down ready # stale: no answer for 15.0 s');
      assert.equal(replyAfter(pending(12_000), 11_900, PATIENCE_MS - 101), UNCHANGED);
      assert.equal(replyAfter(pending(12_000), 11_900, PATIENCE_MS), 'down ready # pending: no answer for 12.0 s');
    });

    it('is not more patient than that, however often it stands still', () => {
      const heartbeat: Stillness = { stoodStillMs: (fromMs, toMs) => (toMs - fromMs) / 2 };
      const replyOf = (agoMs: number): string =>
        replyTo(NOTHING, { '/primary': asked(agoMs) }, 'maint', '/primary', heartbeat).line;
      assert.equal(replyOf(4000 + 2 * PATIENCE_MS - 2), UNCHANGED);
      assert.match(replyOf(4000 + 2 * PATIENCE_MS), /^down ready # stale/);
    });

    it('changes nothing for polls that failed before it, or for the leader key as it was known before it', () => {
      for (const known of [{ failures }, { lease }, { failures, lease }]) {
        const ended = { ...asked(10_000, 8000), ...known };
        assert.equal(replyAfter(ended, 8500, 100), UNCHANGED);
        assert.match(replyAfter(ended, 8500, PATIENCE_MS), /^down ready # stale/);
      }
      assert.equal(replyAfter({ ...pending(10_000), failures }, 9500, 100), UNCHANGED);
    });

    it('is down at once where it stood still for a small part of the time in which Patroni did not answer', () => {
      for (const known of [{ failures }, { lease }]) {
        assert.match(replyAfter({ ...asked(10_000, 300), ...known }, 5000, 0), /^down ready # stale/);
      }
      assert.match(replyAfter({ ...pending(10_000), failures }, 500, 0), /^down ready # pending/);
    });
  });

  it('is down from the moment at which the lease guard ends an answer', () => {
    const lease = { lastSeenAtMs: NOW_MS - 20_000, endsAtMs: NOW_MS };
    const ended: Snapshot = {
      ...{ kind: 'fresh', answer: answer(200), sentAtMs: NOW_MS - 500, freshUntilMs: NOW_MS },
      lease,
    };
    assert.match(
      replyTo(NOTHING, { '/primary': ended }).line,
      /^down ready # stale: Patroni has not reached its DCS for 20\.0 s \(by its answer of 0\.5 s ago\), /,
    );
  });

  it('is that of the route which is asked for, in any spelling', () => {
    const snapshots = { '/primary': fresh(200), '/replica?lag=1kB': fresh(503) };
    for (const text of ['/replica?lag=1024', ' /replica/?x=y&lag=1024 ', '/replica?lag=1024\t']) {
      assert.deepEqual(
        [replyTo(line(text), snapshots).route, replyTo(line(text), snapshots).line],
        ['/replica?lag=1kB', 'up maint'],
      );
    }
  });

  it('is that of agent.route where nothing is asked for', () => {
    const snapshots = { '/primary': fresh(503), '/replica': fresh(200) };
    for (const question of [NOTHING, line(''), line(' \t')]) {
      assert.equal(replyTo(question, snapshots, 'maint', '/replica').line, 'up ready 100%');
    }
  });

  it('is down for a route which there is no room to learn', () => {
    assert.deepEqual(replyTo(line('/replica'), {}), {
      ...{ route: 'other', state: 'down' },
      line: 'down ready # /replica is not polled, and cache.learn allows no more routes',
    });
  });

  it('is one word that HAProxy does not act on for what is no question', () => {
    const snapshots = { '/primary': fresh(200) };
    for (const [question, word] of [
      [line('/primry'), 'not-a-route:/primry'],
      [line('GET /primary HTTP/1.0'), 'not-a-route:GET_/primary_HTTP/1.0'],
      [line('x up ready 100%'), 'not-a-route:x_up_ready_100%'],
      [line('x,down,maint'), 'not-a-route:x_down_maint'],
      [line(`/${'x'.repeat(80)}`), `not-a-route:/${'x'.repeat(59)}`],
      [line("/a?b=c&d=%41~:+*@!$'();-\u00e9{"), "not-a-route:/a?b=c&d=%41~:+*@!$'();-__"],
      [{ kind: 'line-without-end' }, String.raw`line-without-end:agent-send-must-end-with-\n`],
      [{ kind: 'line-too-long' }, 'line-too-long'],
    ] as const) {
      assert.deepEqual(replyTo(question, snapshots), { route: 'other', state: 'unchanged', line: word });
    }
  });

  it('never changes a state by accident, whatever is asked', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc
        .array(fc.constantFrom(...WORDS, '/primary', '100%', 'maxconn:1', '#', ' ', '\t', ',', '\0'))
        .map((a) => a.join('')),
    );
    fc.assert(
      fc.property(text, (asked) => {
        fc.pre(canonicalRoute(asked.trim()) === undefined && asked.trim() !== '');
        const reply = replyTo(line(asked), { '/primary': fresh(200) });
        assert.equal(reply.state, 'unchanged');
        assert.ok(!actsOn(reply), reply.line);
        assert.match(reply.line, /^[!-~]+$/);
      }),
    );
  });

  it('is counted by route and by what it makes of the server', () => {
    const counts = createRouteCounters<AgentReply['state']>();
    const handle = createAgentHandler(
      {
        ask: (route: CanonicalRoute) => ({ '/primary': fresh(200) })[route as string],
        nowMs: () => NOW_MS,
        pollTimeoutMs: () => PATIENCE_MS,
        ...stillness(neverStill),
      },
      counts.count,
    );
    for (const question of [NOTHING, line('/primary'), line('/replica'), line('/x')]) {
      handle(question, { route: '/primary', standby: 'maint' });
    }
    assert.deepEqual(counts.entries(), [
      { route: '/primary', key: 'up', count: 2 },
      { route: 'other', key: 'down', count: 1 },
      { route: 'other', key: 'unchanged', count: 1 },
    ]);
  });
});
