import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { Subject } from 'rxjs';
import { type History, createHistory } from '../../src/status/history.js';
import { nodeIn } from '../../src/patroni/node-facts.js';
import { createStatusPages } from '../../src/status/pages.js';
import { type StatusReport, type StatusSources, statusReport } from '../../src/status/report.js';
import { answer, refused, runMarbles } from '../support/time/marbles.js';
import type { Snapshot, CanonicalRoute } from '../../src/patroni/types.js';
import type { Reply, StreamReply } from '../../src/http/types.js';

const [PRIMARY, LAG] = ['/primary', '/replica?lag=10MB'] as CanonicalRoute[] as [CanonicalRoute, CanonicalRoute];
const WALL_MS = Date.UTC(2026, 0, 2, 3, 4, 5);
const PENDING: Snapshot = { kind: 'pending', sinceMs: 0 };

const saying = (body: unknown): Snapshot & { kind: 'fresh' } => ({
  kind: 'fresh',
  answer: { ...answer(200), body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)) },
  sentAtMs: 1000,
  freshUntilMs: 5000,
});

describe('the past', () => {
  let history: History;
  beforeEach(() => {
    history = createHistory(() => WALL_MS);
  });

  it('has the last 120 polls of a route, and its last failure for as long as the route lives', () => {
    history.polled(PRIMARY, { kind: 'failed', failure: refused('no'), sentAtMs: 0, endedAtMs: 7 });
    assert.deepEqual(history.pastOf(PRIMARY).polls, [{ tookMs: 7, answered: false }]);
    for (let poll = 0; poll < 200; poll += 1) {
      history.polled(PRIMARY, { kind: 'answered', answer: answer(200), sentAtMs: 0, endedAtMs: poll });
    }
    const { polls, lastFailure } = history.pastOf(PRIMARY);
    assert.deepEqual([polls.length, polls[0]?.tookMs, polls.at(-1)?.tookMs], [120, 80, 199]);
    assert.deepEqual(lastFailure, { reason: 'refused', message: 'no', atMs: WALL_MS });
    history.changed({ kind: 'route-forgotten', route: PRIMARY });
    assert.deepEqual(history.pastOf(PRIMARY), { polls: [] });
  });

  it('has the last 50 changes, newest first', () => {
    for (let maxLearned = 0; maxLearned < 60; maxLearned += 1) {
      history.changed({ kind: 'route-refused', route: LAG, maxLearned });
    }
    assert.equal(history.changes().length, 50);
    assert.match(history.changes()[0]?.text ?? '', /not learned: patroniglue has learned 59 routes/);
  });
});

describe('what Patroni says of the node', () => {
  it('is read from the body of a health route', () => {
    const body = {
      state: 'running',
      role: 'replica',
      timeline: 3,
      xlog: { received_location: 1000, replayed_location: 900, paused: false },
      patroni: { version: '3.0.2', scope: 'main', name: 'node1' },
      pause: true,
    };
    assert.deepEqual(nodeIn(saying(body).answer), {
      name: 'node1',
      scope: 'main',
      role: 'replica',
      state: 'running',
      timeline: 3,
      'patroni-version': '3.0.2',
      paused: true,
      lag: '100 bytes to replay',
    });
    const replication = [{ application_name: 'node2', state: 'streaming' }, 7];
    assert.deepEqual(nodeIn(saying({ replication }).answer), { lag: 'node2 streaming, a standby' });
  });

  it('is nothing where it is no JSON, or has other types', () => {
    for (const body of [
      '',
      'no',
      '[]',
      'null',
      '7',
      { role: 7, state: '', timeline: 'x', xlog: 3, patroni: [], replication: {} },
    ]) {
      assert.deepEqual(nodeIn(saying(body).answer), {}, JSON.stringify(body));
    }
  });
});

describe('the status', () => {
  let snapshots: Map<CanonicalRoute, Snapshot>;
  let warnings: string[];
  let sources: StatusSources;
  const told = (): StatusReport => statusReport(sources);
  const page = (path: string): Reply => createStatusPages(told, new Subject()).get(path)?.() as Reply;
  const textOf = (path: string): string => String(page(path).body);

  beforeEach(() => {
    snapshots = new Map<CanonicalRoute, Snapshot>([
      [PRIMARY, saying({ role: 'master', state: 'running' })],
      [LAG, PENDING],
    ]);
    warnings = [];
    const history = createHistory(() => WALL_MS);
    history.polled(PRIMARY, { kind: 'failed', failure: refused('<b>no</b>'), sentAtMs: 0, endedAtMs: 7 });
    history.changed({ kind: 'reply-changed', route: PRIMARY, from: PENDING, to: saying({}), atMs: 0 });
    sources = {
      cache: {
        prefetched: [PRIMARY],
        maxLearned: 16,
        routes: () => [...snapshots.keys()],
        latest: (route) => snapshots.get(route),
      },
      history,
      warnings: () => warnings,
      upstream: () => 'http://localhost:8008',
      witness: () => undefined,
      ttlMsOf: () => 4000,
      nowMs: () => 3500,
      wallMs: () => WALL_MS,
    };
  });

  it('has the same facts as JSON and as a page', () => {
    warnings = ['cache.ttl is "too" long'];
    const report = JSON.parse(textOf('/-/status.json')) as StatusReport;
    assert.deepEqual(report, told());
    assert.equal(report.ready, true, 'a learned route does not count');
    assert.deepEqual(report.node, { role: 'master', state: 'running' });
    const [primary, lag] = report.routes;
    assert.deepEqual(
      [primary?.state, primary?.status, primary?.['age-ms'], primary?.['ttl-ms']],
      ['fresh', 200, 2500, 4000],
    );
    assert.deepEqual([lag?.state, lag?.learned, lag?.reason], ['pending', true, 'pending: no answer for 3.5 s']);
    const html = textOf('/-/status');
    for (const fact of [
      'master',
      '/replica?lag=10MB',
      '2.5 s of 4 s',
      'no answer for 3.5 s',
      '/primary: pending -&#62; 200',
      '03:04:05',
    ]) {
      assert.ok(html.includes(fact), fact);
    }
    assert.ok(html.includes('cache.ttl is &#34;too&#34; long'));
  });

  it('shows that checks get replies by the witness, before all else', () => {
    assert.doesNotMatch(textOf('/-/status'), /itness/, 'nothing without one');
    sources = { ...sources, witness: () => ({ kind: 'agrees', connUrl: '' }) };
    assert.deepEqual(told().witness, { state: 'agrees', active: false });
    assert.match(textOf('/-/status'), /Witness \(etcd\): <span class="good">agrees with Patroni/);
    const why = 'the leader key names <this> node';
    snapshots.set(PRIMARY, { ...saying({ role: 'primary' }), witness: { source: 'etcd3', why } });
    assert.equal(told().witness?.active, true);
    assert.equal(told().routes[0]?.witness, why);
    const html = textOf('/-/status');
    assert.match(html, /role="alert"><h2>Patroni does not answer\. Checks get replies by the witness\.</);
    assert.match(html, /What the witness says about the node/);
    assert.ok(html.includes('by the witness: the leader key names &#60;this&#62; node'));
    snapshots.set(PRIMARY, saying({}));
    sources = { ...sources, witness: () => ({ kind: 'contradicts', message: 'correct witness.name' }) };
    assert.deepEqual(told().witness, { state: 'contradicts', message: 'correct witness.name', active: false });
    assert.match(textOf('/-/status'), /<span class="bad">not used: correct witness\.name/);
  });

  it('says stale at the moment at which it is, whatever the timers say', () => {
    sources = { ...sources, nowMs: () => 5000 };
    assert.equal(told().routes[0]?.state, 'stale');
    assert.equal(told().ready, false);
  });

  it('has nothing in it that a browser would run, whatever Patroni says', () => {
    snapshots.set(PRIMARY, saying({ role: '<script>alert(1)</script>', state: '"><img src=x onerror=alert(1)>' }));
    const html = textOf('/-/status');
    assert.doesNotMatch(html, /<script>|<img|<b>|style=/);
    assert.match(String(page('/-/status').headers['Content-Security-Policy']), /^default-src 'none'; /);
  });

  it('is kept up to date by events: at once, every second, and soon after a change', () => {
    runMarbles(({ hot, expectObservable }, scheduler) => {
      const change$ = hot('1400ms (ccc)');
      const stream = createStatusPages(told, change$, scheduler).get('/-/status/events')?.() as StreamReply;
      const event = `${createStatusPages(told, change$, scheduler).size}`;
      assert.equal(event, '5');
      expectObservable(stream.body$, '^ 2100ms !').toBe('f 999ms e 649ms e 349ms e', {
        f: `retry: 1000\n\n${eventNow()}`,
        e: eventNow(),
      });
    });
  });

  function eventNow(): string {
    const main = /<main>\n([\s\S]*)\n<\/main>/.exec(textOf('/-/status'))?.[1] ?? '';
    return `${main.replace(/^/gm, 'data: ')}\n\n`;
  }
});
