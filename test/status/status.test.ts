import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { Subject } from 'rxjs';
import { type History, createHistory } from '../../src/status/history.js';
import { nodeIn } from '../../src/patroni/node-facts.js';
import { createStatusPages } from '../../src/status/pages.js';
import { CLUSTER_ROUTE, type StatusSources, statusReport } from '../../src/status/report.js';
import type { StatusReport } from '../../src/status/types.js';
import { factsOf } from '../support/witness/facts.js';
import { answer, refused, runMarbles } from '../support/time/marbles.js';
import type { Snapshot, CanonicalRoute } from '../../src/patroni/types.js';
import type { LastCheck, Reply, StreamReply } from '../../src/http/types.js';

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
    history.changed({ kind: 'route-forgotten', route: PRIMARY }, true);
    assert.deepEqual(history.pastOf(PRIMARY), { polls: [] });
  });

  it('has the last 50 changes, newest first, and those of learned routes apart', () => {
    history.changed({ kind: 'route-learned', route: PRIMARY }, false);
    for (let maxLearned = 0; maxLearned < 60; maxLearned += 1) {
      history.changed({ kind: 'route-refused', route: LAG, maxLearned }, true);
    }
    assert.equal(history.changes('learned').length, 50);
    assert.match(history.changes('learned')[0]?.text ?? '', /not learned: patroniglue has learned 59 routes/);
    assert.deepEqual(
      history.changes('prefetched').map(({ text }) => text.split(':')[0]),
      ['/primary'],
    );
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
    assert.deepEqual(nodeIn(saying({ replication }).answer), { standbys: 'node2 streaming, a standby' });
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
  let history: History;
  let nowMs: number;
  let checks: Map<CanonicalRoute, LastCheck>;
  const told = (): StatusReport => statusReport(sources);
  const page = (path: string): Reply => createStatusPages(told, new Subject()).get(path)?.() as Reply;
  const textOf = (path: string): string => String(page(path).body);

  beforeEach(() => {
    snapshots = new Map<CanonicalRoute, Snapshot>([
      [PRIMARY, saying({ role: 'master', state: 'running' })],
      [LAG, PENDING],
    ]);
    warnings = [];
    nowMs = 3500;
    checks = new Map();
    history = createHistory(() => WALL_MS);
    history.polled(PRIMARY, { kind: 'failed', failure: refused('<b>no</b>'), sentAtMs: 0, endedAtMs: 7 });
    history.changed({ kind: 'reply-changed', route: PRIMARY, from: PENDING, to: saying({}), atMs: 0 }, false);
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
      configured: () => ({}),
      recording: () => undefined,
      frozenSinceMs: () => undefined,
      certificateEnds: () => new Map([['frontend', WALL_MS + 3 * 86_400_000]]),
      lastCheck: (route) => checks.get(route),
      pageAt: (host) => `https://${host}:8009/-/status`,
      startedAtMs: 500,
      ttlMsOf: () => 4000,
      nowMs: () => nowMs,
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
    assert.match(textOf('/-/status'), /witness \(etcd\)<\/dt><dd><span>agrees with Patroni</);
    const why = 'the leader key names <this> node';
    snapshots.set(PRIMARY, { ...saying({ role: 'primary' }), witness: { source: 'etcd3', why } });
    assert.equal(told().witness?.active, true);
    assert.equal(told().state, 'witness');
    assert.equal(told().routes[0]?.witness, why);
    const html = textOf('/-/status');
    assert.match(html, /<header class="witness"/);
    assert.match(html, /class="alarm">Patroni does not answer\. Checks get replies by the witness\./);
    assert.match(html, /What the witness said about the node/);
    assert.ok(html.includes('by the witness: the leader key names &#60;this&#62; node'));
    snapshots.set(PRIMARY, saying({}));
    sources = { ...sources, witness: () => ({ kind: 'contradicts', message: 'correct witness.name' }) };
    assert.deepEqual(told().witness, { state: 'contradicts', message: 'correct witness.name', active: false });
    assert.match(textOf('/-/status'), /<span class="warn">not used: correct witness\.name/);
  });

  it('says in the headline that the witness answers 503, why, and in red if no other node holds the leader key', () => {
    const because = (why: string, options: Parameters<typeof factsOf>[0]): string => {
      const { answer: was, ...known } = saying({});
      const body = Buffer.from('{"patroni": {"name": "node1"}}');
      snapshots.set(PRIMARY, { ...known, answer: { ...was, status: 503, body }, witness: { source: 'etcd3', why } });
      history.witnessRead({ kind: 'read', facts: factsOf(options), askedAtMs: 3000, endedAtMs: 3001 });
      return textOf('/-/status');
    };
    const classOf = (html: string): string | undefined => /<header class="([^"]+)"/.exec(html)?.[1];
    sources = { ...sources, witness: () => ({ kind: 'agrees', connUrl: '' }) };
    const gone = 'no node holds the leader key';
    const nobody = because(gone, { leader: undefined, member: undefined });
    assert.equal(classOf(nobody), 'witness without-primary');
    assert.match(nobody, /<title>node1: \/primary 503</);
    assert.match(
      nobody,
      /class="alarm">Patroni does not answer\. Checks of \/primary get 503 by the witness: no node holds the leader key\. All of Patroni is frozen .* <a href="\/-\/runbook">/,
    );
    assert.match(nobody, /What the witness says about the node<\/h2><p>The key of the node in etcd has expired: /);
    const route = { route: PRIMARY, status: 503, why: gone };
    const known = { state: 'agrees', active: true, leader: null, 'member-key': false, 'leader-route': route };
    assert.deepEqual(told().witness, known);
    assert.equal(told().state, 'witness');
    const late = because('the leader key names this node, but its lease was not renewed in time', {});
    assert.equal(classOf(late), 'witness without-primary');
    assert.doesNotMatch(late, /All of Patroni/);
    const other = because('the leader key names node2', { leader: 'node2' });
    assert.equal(classOf(other), 'witness');
    assert.match(other, /class="alarm">[^<]* get 503 by the witness: the leader key names node2\. </);
    history.witnessRead({ kind: 'failed', failure: refused('no'), askedAtMs: 3100, endedAtMs: 3101 });
    assert.equal(classOf(textOf('/-/status')), 'witness', 'the last read does not tell');
  });

  it('is red only if there is no fresh answer: a right 503 of a standby is neither red nor green', () => {
    const classOf = (html: string): string | undefined => /<code>\/primary<\/code> <b class="(\w+)">/.exec(html)?.[1];
    assert.deepEqual([told().state, classOf(textOf('/-/status'))], ['leader', 'yes']);
    const standby = saying({ role: 'replica' });
    snapshots.set(PRIMARY, { ...standby, answer: { ...standby.answer, status: 503 } });
    assert.deepEqual([told().state, classOf(textOf('/-/status'))], ['standby', 'no']);
    assert.doesNotMatch(textOf('/-/status'), /class="alarm"/);
    nowMs = 5000;
    assert.deepEqual([told().state, classOf(textOf('/-/status'))], ['no-fresh-answer', 'none']);
    assert.match(textOf('/-/status'), /<title>patroniglue: was replica, \/primary 503, no fresh answer<\/title>/);
    assert.match(
      textOf('/-/status'),
      /class="alarm">There is no fresh answer of Patroni: no answer for 4\.0 s\. <a href="\/-\/runbook">/,
    );
  });

  it('says so if Patroni answers and the lease guard has ended its answer', () => {
    snapshots.delete(LAG);
    const { answer, ...known } = saying({ role: 'primary' });
    snapshots.set(PRIMARY, { ...known, answer, freshUntilMs: 3000, lease: { lastSeenAtMs: -17_000, endsAtMs: 3000 } });
    assert.deepEqual([told().state, told().routes[0]?.['by-lease-guard']], ['no-fresh-answer', true]);
    const html = textOf('/-/status');
    assert.match(html, /<title>patroniglue: was primary, \/primary 503, by the lease guard<\/title>/);
    assert.match(html, /class="alarm">Patroni answers, but has not reached its DCS for too long: /);
    assert.match(html, /<b class="none">503, by the lease guard<\/b>/);
    assert.doesNotMatch(html, /no fresh answer|expired|runbook">What/);
    const failure = { reason: 'refused', message: '' } as const;
    const failures = { count: 1, sinceMs: 2000, last: failure };
    snapshots.set(PRIMARY, {
      ...known,
      answer,
      freshUntilMs: 3000,
      lease: { lastSeenAtMs: -17_000, endsAtMs: 3000 },
      failures,
    });
    assert.equal(told().routes[0]?.['by-lease-guard'], undefined, 'Patroni does not answer');
    assert.match(
      textOf('/-/status'),
      /class="alarm">There is no fresh answer of Patroni: connection refused for 1\.5 s\. /,
    );
  });

  it('says why it does not know the members of the cluster, if no place is free for their route', () => {
    assert.equal(told()['no-place-for-cluster'], undefined);
    sources = { ...sources, cache: { ...sources.cache, maxLearned: 1 } };
    assert.equal(told()['no-place-for-cluster'], 1);
    assert.match(
      textOf('/-/status'),
      /patroniglue has learned 1 route, and <code>cache\.learn<\/code> leaves no place/,
    );
    snapshots.set(CLUSTER_ROUTE, PENDING);
    assert.equal(told()['no-place-for-cluster'], undefined);
  });

  it('has the names of cluster and node from Patroni, or from the configuration of the witness', () => {
    sources = { ...sources, configured: () => ({ scope: 'configured', name: 'node2' }) };
    assert.equal(told().node.scope, 'configured');
    snapshots.set(PRIMARY, saying({ role: 'primary', patroni: { scope: 'main' } }));
    assert.equal(told().node.scope, 'main');
    assert.equal(told().node.name, 'node2', 'Patroni before 3.2 does not say it');
  });

  it('says when it was started, before all else if that was lately', () => {
    assert.match(textOf('/-/status'), /<dt>patroniglue started<\/dt><dd>3\.0 s ago [^]*<\/header>/);
    nowMs = 700_000;
    assert.doesNotMatch(textOf('/-/status'), /patroniglue started/);
  });

  it('says who asked last, and if nobody asks for the primary', () => {
    assert.equal(told()['last-check'], undefined);
    assert.equal(told()['nobody-asks-for'], undefined, 'it has run for three seconds');
    nowMs = 61_000;
    assert.equal(told()['nobody-asks-for'], '/primary');
    checks.set(LAG, { address: '<10.0.0.5>', atMs: 60_000 });
    const last = { from: '<10.0.0.5>', at: new Date(WALL_MS - 1000).toISOString(), 'ago-ms': 1000 };
    assert.deepEqual(told()['last-check'], { route: LAG, ...last });
    assert.deepEqual(told().routes[1]?.['last-check'], last);
    assert.equal(told()['nobody-asks-for'], '/primary', 'a replica is no primary');
    assert.match(textOf('/-/status'), /1\.0 s ago by &#60;10\.0\.0\.5&#62;/);
    assert.match(textOf('/-/status'), /Nobody has asked for \/primary for a minute\./);
    checks.set(PRIMARY, { atMs: 60_500 });
    assert.equal(told()['nobody-asks-for'], undefined);
    assert.match(textOf('/-/status'), /0\.5 s ago by a client that has left/);
    nowMs = 120_500;
    assert.equal(told()['nobody-asks-for'], '/primary');
  });

  it('says when Patroni answered, and for how long the leader key is safe, by the lease guard or the witness', () => {
    assert.deepEqual(told().patroni, {});
    assert.equal(told().key, undefined);
    const lease = { lastSeenAtMs: 1000, endsAtMs: 21_000 };
    history.polled(PRIMARY, { kind: 'answered', answer: answer(200), sentAtMs: 2990, endedAtMs: 3000, lease });
    assert.deepEqual(told().patroni.answered, { at: new Date(WALL_MS - 500).toISOString(), 'ago-ms': 500 });
    assert.deepEqual(told().key, { 'safe-ms': 17_500, by: 'lease-guard' });
    assert.match(textOf('/-/status'), /safe for 17 s more, by Patroni’s last look at its DCS/);
    snapshots.set(PRIMARY, { ...saying({ role: 'primary' }), witness: { source: 'etcd3', why: '' } });
    sources = { ...sources, frozenSinceMs: () => 3000 };
    assert.equal(told().key, undefined, 'the witness has said nothing yet');
    history.witnessRead({
      kind: 'read',
      facts: factsOf({ askedAtMs: 3000, remainingS: 29 }),
      askedAtMs: 3000,
      endedAtMs: 3001,
    });
    assert.deepEqual(told().key, { 'safe-ms': 18_500, by: 'witness' });
    assert.match(textOf('/-/status'), /frozen since <time/);
    nowMs = 5000;
    assert.equal(told().key, undefined, 'checks get 503');
  });

  it('has the members of the cluster, with links to where their pages may be', () => {
    assert.equal(told().cluster, undefined);
    const members = [
      { name: 'node1', role: 'leader', api_url: 'http://10.0.0.11:8008/patroni' },
      { name: '<node2>', role: 'replica', lag: 35_000_000, api_url: 'http://10.0.0.12:8008/patroni' },
    ];
    snapshots.set(PRIMARY, saying({ role: 'primary', patroni: { name: 'node1' } }));
    snapshots.set(CLUSTER_ROUTE, saying({ members }));
    assert.deepEqual(told().cluster, {
      at: new Date(WALL_MS - 2500).toISOString(),
      'ago-ms': 2500,
      fresh: true,
      members: [
        { name: 'node1', role: 'leader', 'api-host': '10.0.0.11', 'this-node': true },
        {
          ...{ name: '<node2>', role: 'replica', lag: 35_000_000, 'api-host': '10.0.0.12', 'this-node': false },
          page: 'https://10.0.0.12:8009/-/status',
        },
      ],
    });
    const html = textOf('/-/status');
    assert.ok(html.includes('<a href="https://10.0.0.12:8009/-/status" rel="noreferrer">10.0.0.12:8009</a>'));
    assert.ok(html.includes('&#60;node2&#62;') && html.includes('33 MiB'));
    nowMs = 5000;
    assert.match(textOf('/-/status'), /The cluster, as Patroni said at <time[^>]*>03:04:01<\/time>, out of date/);
  });

  it('has the last reload, how long it has run, and the ends of certificates; times with dates that are not of today', () => {
    history.reloaded('refused', 'config.yml:3:1: <no>');
    const report = told();
    assert.deepEqual(report.reload, { at: report.at, result: 'refused', text: 'config.yml:3:1: <no>' });
    assert.deepEqual([report.started, report['uptime-ms']], [new Date(WALL_MS - 3000).toISOString(), 3000]);
    assert.deepEqual(report.certificates, [{ certificate: 'frontend', ends: '2026-01-05T03:04:05.000Z' }]);
    const html = textOf('/-/status');
    assert.ok(html.includes('<span class="warn">refused</span>: config.yml:3:1: &#60;no&#62;'));
    assert.match(html, /ends <time[^>]*>2026-01-05 03:04:05<\/time>, in 3 days/);
  });

  it('has the learned routes and their changes folded', () => {
    history.changed({ kind: 'route-learned', route: LAG }, true);
    const html = textOf('/-/status');
    const [before = '', folded = ''] = html.split('<details id="learned">');
    assert.ok(!before.includes('/replica?lag=10MB'));
    assert.match(
      folded.split('</details>')[0] ?? '',
      /1 learned route, [^]*\/replica\?lag=10MB[^]*\/replica\?lag=10MB: learned/,
    );
  });

  it('has the runbook beside it, as a text', () => {
    const { body, headers } = page('/-/runbook');
    assert.equal(headers['Content-Type'], 'text/plain; charset=utf-8');
    assert.match(String(body), /^# Patroni is frozen\n/);
    assert.doesNotMatch(String(body), /\]\(/);
  });

  it('says stale at the moment at which it is, whatever the timers say', () => {
    nowMs = 5000;
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
      assert.equal(event, '6');
      expectObservable(stream.body$, '^ 2100ms !').toBe('f 999ms e 649ms e 349ms e', {
        f: `retry: 1000\n\n${eventNow()}`,
        e: eventNow(),
      });
    });
  });

  it('says when somebody looks at the page, but not when a program reads the JSON', () => {
    let looks = 0;
    const pages = createStatusPages(told, new Subject(), undefined, () => (looks += 1));
    void pages.get('/-/status.json')?.();
    assert.equal(looks, 0);
    void pages.get('/-/status')?.();
    assert.equal(looks, 1);
    const subscription = (pages.get('/-/status/events')?.() as StreamReply).body$.subscribe();
    assert.equal(looks, 2);
    subscription.unsubscribe();
  });

  function eventNow(): string {
    const main = /<main>([\s\S]*)<\/main>/.exec(textOf('/-/status'))?.[1] ?? '';
    return `${main.replace(/^/gm, 'data: ')}\n\n`;
  }
});
