import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createRouteCounters } from '../../src/metrics/route-counters.js';
import { createHandler } from '../../src/http/handler.js';
import { knownPaths } from '../../src/patroni/routes.js';
import type { Snapshot, CanonicalRoute } from '../../src/patroni/types.js';
import type { CheckRequest, Reply } from '../../src/http/types.js';

const NOW_MS = 10_000;
const WALL_MS = Date.parse('2026-01-02T03:04:05.000Z');
const BODY = Buffer.from('{"role": "primary"}');

const fresh: Snapshot = {
  kind: 'fresh',
  answer: { status: 200, contentType: 'application/json', body: BODY },
  sentAtMs: NOW_MS - 2500,
  freshUntilMs: NOW_MS + 1500,
};
const CLOCK = { nowMs: () => NOW_MS, wallMs: () => WALL_MS };
const REQUEST: CheckRequest = { method: 'GET', httpVersion: '1.1', target: '/primary', hasBody: false };

const failures = {
  count: 3,
  sinceMs: NOW_MS - 4000,
  last: { reason: 'refused', message: 'connect ECONNREFUSED 127.0.0.1:8008' },
} as const;

function ask(
  snapshot: Snapshot,
  { method = 'GET', httpVersion = '1.1', target = '/primary', hasBody = false }: Partial<CheckRequest> = {},
  { nowMs = NOW_MS, maxLearned = 16 } = {},
): Reply {
  const prefetched = ['/primary' as CanonicalRoute];
  const latest = (route: CanonicalRoute): Snapshot | undefined => (prefetched.includes(route) ? snapshot : undefined);
  const snapshots = { prefetched, maxLearned, latest, ask: latest };
  const handle = createHandler(snapshots, { nowMs: () => nowMs, wallMs: () => WALL_MS });
  return handle({ method, httpVersion, target, hasBody });
}

/** What a body is on the wire. */
function bytesOf(body: Reply['body']): Buffer {
  return typeof body === 'string' ? Buffer.from(body, 'latin1') : body;
}

function problemOf({ headers, body }: Reply): Record<string, unknown> {
  assert.equal(headers['Content-Type'], 'application/problem+json');
  const bytes = bytesOf(body);
  assert.equal(headers['Content-Length'], bytes.length);
  return JSON.parse(bytes.toString()) as Record<string, unknown>;
}

describe('reply', () => {
  it("gives a fresh answer's status, type and body, with its age and what is left of its life", () => {
    assert.deepEqual(ask(fresh), {
      status: 200,
      headers: {
        'Content-Type': 'application/json',
        'Content-Length': BODY.length,
        'Cache-Control': 'no-store',
        Age: 2,
        'Cache-Status': 'patroniglue; hit; ttl=1',
      },
      body: BODY.toString(),
    });
  });

  it('names the witness, if the answer is its, and counts it', () => {
    const snapshot: Snapshot = { ...fresh, witness: { source: 'etcd3', why: 'the leader key names this node' } };
    assert.equal(ask(snapshot).headers['Cache-Status'], 'patroniglue; hit; ttl=1; detail=witness-etcd3');
    const counted: unknown[] = [];
    let latest: Snapshot = snapshot;
    const read = (): Snapshot => latest;
    const handle = createHandler(
      { prefetched: ['/primary' as CanonicalRoute], maxLearned: 0, latest: read, ask: read },
      { nowMs: () => NOW_MS, wallMs: () => WALL_MS },
      new Map(),
      (...call) => counted.push(call),
    );
    handle(REQUEST);
    latest = fresh;
    handle(REQUEST);
    assert.deepEqual(counted, [
      ['/primary', 200, true, REQUEST],
      ['/primary', 200, false, REQUEST],
    ]);
  });

  it('makes it anew when a second has passed, and when there is another answer', () => {
    let nowMs = NOW_MS;
    let snapshot = fresh;
    const snapshots = { prefetched: [], maxLearned: 0, latest: () => snapshot, ask: () => snapshot };
    const handle = createHandler(snapshots, { nowMs: () => nowMs, wallMs: () => WALL_MS });
    const told = (): unknown[] => {
      const { status, headers, body } = handle({ method: 'GET', httpVersion: '1.1', target: '/', hasBody: false });
      return [status, headers['Age'], headers['Cache-Status'], String(body)];
    };
    const first = [200, 2, 'patroniglue; hit; ttl=1', BODY.toString()];
    assert.deepEqual([told(), told()], [first, first]);
    nowMs += 499;
    assert.deepEqual(told(), first);
    nowMs += 1;
    assert.deepEqual(told(), [200, 3, 'patroniglue; hit; ttl=1', BODY.toString()]);
    nowMs += 501;
    assert.deepEqual(told(), [200, 3, 'patroniglue; hit; ttl=0', BODY.toString()]);
    snapshot = {
      ...fresh,
      answer: { status: 503, body: Buffer.from('no') },
      sentAtMs: nowMs,
      freshUntilMs: nowMs + 4000,
    };
    assert.deepEqual(told(), [503, 0, 'patroniglue; hit; ttl=4', 'no']);
  });

  it('gives a body byte for byte, whatever its bytes and its length', () => {
    const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    for (const body of [every, Buffer.concat(Array.from({ length: 100 }, () => every)), Buffer.alloc(0)]) {
      assert.deepEqual(bytesOf(ask({ ...fresh, answer: { status: 200, body } }).body), body);
    }
  });

  it('passes on whatever status Patroni gave', () => {
    for (const status of [302, 404, 500, 503]) {
      assert.equal(ask({ ...fresh, answer: { status, body: BODY } }).status, status);
    }
  });

  it('answers every alias, and every method that reads, alike', () => {
    for (const target of ['/', '/master', '/read-write', '/primary/', '/primary?tag_a=b']) {
      for (const method of ['GET', 'HEAD', 'OPTIONS']) assert.equal(ask(fresh, { method, target }).status, 200);
    }
  });

  it('never gives an answer whose time is over, though nobody has said so', () => {
    assert.equal(ask(fresh, {}, { nowMs: fresh.freshUntilMs - 0.001 }).status, 200);
    assert.equal(ask(fresh, {}, { nowMs: fresh.freshUntilMs }).status, 503);
    assert.equal(ask(fresh, {}, { nowMs: fresh.freshUntilMs + 1e9 }).status, 503);
  });

  it('says of a stale answer which route, since when, and what the last poll failed with', () => {
    const { answer, sentAtMs } = fresh;
    const reply = ask({ kind: 'stale', answer, sentAtMs, sinceMs: NOW_MS - 1500, failures });
    assert.equal(reply.status, 503);
    assert.deepEqual(problemOf(reply), {
      title: 'Service Unavailable',
      status: 503,
      detail: 'no fresh answer of Patroni to /primary: stale: connection refused for 4.0 s',
      route: '/primary',
      state: 'stale',
      since: '2026-01-02T03:04:03.500Z',
      'failed-polls': 3,
      'last-failure': 'connection refused (connect ECONNREFUSED 127.0.0.1:8008)',
    });
  });

  it('says of a pending one that nothing came yet', () => {
    const { detail, state } = problemOf(ask({ kind: 'pending', sinceMs: NOW_MS - 200 }));
    assert.equal(state, 'pending');
    assert.equal(detail, 'no fresh answer of Patroni to /primary: pending: no answer for 0.2 s');
  });

  it('asks a client of a pending route back in a second', () => {
    assert.equal(ask({ kind: 'pending', sinceMs: 0 }).headers['Retry-After'], 1);
    assert.equal(
      ask({ kind: 'stale', answer: fresh.answer, sentAtMs: 0, sinceMs: 1 }).headers['Retry-After'],
      undefined,
    );
  });

  it('tells no asker of a new route that it has waited for less than nothing', () => {
    let nowMs = NOW_MS;
    const clock = { nowMs: () => (nowMs += 1), wallMs: () => WALL_MS };
    const ask = (): Snapshot => ({ kind: 'pending', sinceMs: clock.nowMs() });
    const snapshots = { prefetched: [], maxLearned: 1, latest: ask, ask };
    const request = { method: 'GET', httpVersion: '1.1', target: '/health', hasBody: false };
    assert.match(String(createHandler(snapshots, clock)(request).body), /pending: no answer for 0\.0 s/);
  });

  it('reads slashes at the beginning as one, and an absolute URI as its path, whatever is asked', () => {
    for (const before of ['/', '//', 'http://127.0.0.1:8009', 'HTTP://user@[::1]:8009', 'https://example.org']) {
      for (const target of ['/primary', '/master?x=1']) {
        const reply = ask(fresh, { target: before + target });
        assert.deepEqual([reply.status, reply.headers], [200, ask(fresh).headers], before + target);
      }
      for (const [path, status] of [
        ['/-/healthy', 200],
        ['/-/ready', 200],
        ['/my-primary', 404],
      ] as const) {
        assert.equal(ask(fresh, { target: before + path }).status, status, before + path);
      }
    }
  });

  it('answers 404 with the routes that it knows to any other', () => {
    for (const target of ['/my-primary', '/PRIMARY', '//sync/', '/sync/', '/restart', '/primary%00', '/../primary']) {
      const reply = ask(fresh, { target });
      assert.equal(reply.status, 404, target);
      assert.deepEqual(problemOf(reply), {
        title: 'Not Found',
        status: 404,
        detail: 'patroniglue has no such route',
        routes: knownPaths,
      });
      assert.equal(reply.headers['Cache-Control'], 'no-store');
    }
  });

  it('answers 503 to a route of the table that there is no room to learn', () => {
    const reply = ask(fresh, { target: '/replica?lag=1' }, { maxLearned: 2 });
    assert.equal(reply.status, 503);
    assert.equal(reply.headers['Retry-After'], undefined);
    assert.deepEqual(problemOf(reply), {
      title: 'Service Unavailable',
      status: 503,
      detail: '/replica?lag=1 is not polled: 2 routes are learned already, the most that cache.learn allows',
      route: '/replica?lag=1',
      state: 'not-learned',
    });
  });

  it('answers 404 to it where nothing is learned, with the routes that are polled', () => {
    for (const target of ['/replica', '/my-primary']) {
      const reply = ask(fresh, { target }, { maxLearned: 0 });
      assert.equal(reply.status, 404);
      const { routes, detail } = problemOf(reply);
      assert.deepEqual(routes, ['/primary']);
      assert.match(
        String(detail),
        target === '/replica' ? /^\/replica is not in backend\.routes, and / : /^patroniglue has no such route/,
      );
    }
  });

  it('answers 400 to what is no request target, and says what is wrong with it', () => {
    for (const [target, detail] of [
      ['', 'a request target must begin with a slash'],
      ['*', 'a request target must begin with a slash'],
      ['http://h', 'a request target must begin with a slash'],
      ['http://h?x', 'a request target must begin with a slash'],
      ['http:///primary', 'a request target must begin with a slash'],
      ['ftp://h/primary', 'a request target must begin with a slash'],
      ['http://h/primary#x', 'the character U+0023 must be percent-encoded'],
      ['//primary#x', 'the character U+0023 must be percent-encoded'],
      ['/primary#x', 'the character U+0023 must be percent-encoded'],
      ['/replica?tag_a=\u00e9', 'the character U+00E9 must be percent-encoded'],
      ['/replica?tag_a=1;lag=2', 'the character U+003B must be percent-encoded'],
      ['/primary\u0000', 'the character U+0000 must be percent-encoded'],
      ['/replica?tag_a=%zz', 'a % must begin a percent-encoded character of UTF-8 (a % itself is %25)'],
      ['/replica?tag_a=%e9', 'a % must begin a percent-encoded character of UTF-8 (a % itself is %25)'],
      [`/replica?tag_a=${'x'.repeat(3000)}`, 'a request target may have at most 1024 characters, not 3015'],
    ] as const) {
      const reply = ask(fresh, { target });
      assert.deepEqual([reply.status, problemOf(reply)['detail']], [400, detail]);
    }
  });

  it('answers 400 to a request line without a version, or with one that is not spoken, and closes', () => {
    for (const httpVersion of ['0.9', '2.0']) {
      const reply = ask(fresh, { httpVersion });
      assert.deepEqual([reply.status, reply.headers['Connection']], [400, 'close']);
      assert.equal(problemOf(reply)['detail'], 'patroniglue speaks HTTP/1.0 and HTTP/1.1 only');
    }
    for (const httpVersion of ['1.0', '1.1']) assert.equal(ask(fresh, { httpVersion }).status, 200);
  });

  it('answers 405 on every path to whatever could change a cluster', () => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'PURGE']) {
      for (const target of ['/primary', '/restart', '/-/healthy']) {
        const reply = ask(fresh, { method, target });
        assert.deepEqual([reply.status, reply.headers['Allow']], [405, 'GET, HEAD, OPTIONS']);
        assert.equal(problemOf(reply)['detail'], `${method} is not served here: patroniglue only reads`);
        assert.equal(reply.headers['Connection'], undefined);
        assert.equal(ask(fresh, { method, target, hasBody: true }).headers['Connection'], 'close');
      }
    }
  });

  it('refuses a body and closes', () => {
    const reply = ask(fresh, { hasBody: true });
    assert.deepEqual([reply.status, reply.headers['Connection']], [413, 'close']);
    assert.equal(problemOf(reply)['detail'], 'a health check has no body');
  });

  it('is healthy whatever Patroni does, and ready when every route is fresh', () => {
    const pending: Snapshot = { kind: 'pending', sinceMs: 0 };
    assert.equal(ask(pending, { target: '/-/healthy' }).status, 200);
    assert.equal(ask(pending, { target: '/-/ready' }).status, 503);
    assert.equal(ask(fresh, { target: '/-/ready' }).status, 200);
    assert.equal(ask(fresh, { target: '/-/ready' }, { nowMs: fresh.freshUntilMs }).status, 503);
    assert.equal(ask(fresh, { target: '/-/other' }).status, 404);
  });

  it('says so in a text, whatever the query, and names the routes that have no fresh answer', () => {
    const polled: Readonly<Record<string, Snapshot>> = {
      '/primary': fresh,
      '/replica': { kind: 'pending', sinceMs: 0 },
    };
    const latest = (route: CanonicalRoute): Snapshot | undefined => polled[route];
    const prefetched = ['/primary', '/replica', '/health'] as CanonicalRoute[];
    const handle = createHandler({ prefetched, maxLearned: 0, latest, ask: latest }, CLOCK);
    const textOf = (handler: typeof handle, target: string): string => {
      const { status, headers, body } = handler({ ...REQUEST, target });
      assert.deepEqual(headers, {
        'Content-Type': 'text/plain; charset=utf-8',
        'Content-Length': body.length,
        'Cache-Control': 'no-store',
      });
      return `${status} ${String(body)}`;
    };
    for (const query of ['', '?', '?a=/-/b?c']) {
      assert.equal(textOf(handle, `/-/healthy${query}`), '200 healthy\n');
      assert.equal(
        textOf(handle, `/-/ready${query}`),
        '503 not ready: no fresh answer to /replica, /health\n',
        'those that are not polled yet, too',
      );
    }
    const ready = createHandler({ prefetched: [], maxLearned: 0, latest, ask: latest }, CLOCK);
    assert.equal(textOf(ready, '/-/ready'), '200 ready\n');
  });

  it('has other pages of its own, and lets one of them hear any request to its path', () => {
    const page: Reply = { status: 418, headers: {}, body: 'a page' };
    const none = (): undefined => undefined;
    const counts = createRouteCounters<number>();
    const pages = {
      get: (path: string) => (path === '/-/page' ? () => page : undefined),
      refresh: ({ method }: CheckRequest): Reply => ({ status: 202, headers: {}, body: method }),
    };
    const snapshots = { prefetched: [], maxLearned: 0, latest: none, ask: none };
    const handle = createHandler(snapshots, CLOCK, pages, counts.count);
    assert.equal(handle({ ...REQUEST, target: '/-/page?x=/-/other' }), page);
    assert.equal(handle({ ...REQUEST, target: '/-/refresh', method: 'PUT', hasBody: true }).body, 'PUT');
    assert.equal(handle({ ...REQUEST, target: '/x/-/page' }).status, 404);
    assert.equal(handle({ ...REQUEST, target: '/-/page', method: 'PUT' }).status, 405);
    const withoutRefresh = createHandler(snapshots, CLOCK, { get: pages.get }, counts.count);
    assert.equal(withoutRefresh({ ...REQUEST, target: '/-/refresh', method: 'POST' }).status, 405);
    assert.deepEqual(counts.entries(), [
      { route: 'other', key: 404, count: 1 },
      { route: 'other', key: 405, count: 2 },
    ]);
  });

  it('is counted by canonical route and status, unless it is one of its own pages', () => {
    const counts = createRouteCounters<number>();
    const latest = (route: CanonicalRoute): Snapshot | undefined =>
      ({ '/primary': fresh, '/health': { kind: 'pending', sinceMs: 0 } as const })[route as string];
    const handle = createHandler(
      { prefetched: [], maxLearned: 1, latest, ask: latest },
      CLOCK,
      new Map(),
      counts.count,
    );
    for (const target of ['/', '/master', '/health', '/replica', '/x', '*', '/-/healthy', '/-/ready', '/-/x']) {
      handle({ ...REQUEST, target });
    }
    handle({ ...REQUEST, method: 'POST' });
    assert.deepEqual(counts.entries(), [
      { route: '/primary', key: 200, count: 2 },
      { route: '/health', key: 503, count: 1 },
      { route: 'other', key: 503, count: 1 },
      { route: 'other', key: 404, count: 2 },
      { route: 'other', key: 400, count: 1 },
      { route: 'other', key: 405, count: 1 },
    ]);
  });

  it('is made once for all who ask within a second', () => {
    const latest = (): Snapshot => fresh;
    const handle = createHandler({ prefetched: [], maxLearned: 0, latest, ask: latest }, CLOCK);
    assert.equal(handle(REQUEST), handle({ ...REQUEST, target: '/master', method: 'HEAD' }));
  });

  it('has no Content-Type where Patroni gave none', () => {
    const { headers } = ask({ ...fresh, answer: { status: 200, body: BODY } });
    assert.deepEqual(Object.keys(headers), ['Content-Length', 'Cache-Control', 'Age', 'Cache-Status']);
  });

  it('is one of its own pages only below /-/', () => {
    const latest = (): Snapshot => fresh;
    const pages = { get: (): (() => Reply) => () => assert.fail('made') };
    const handle = createHandler({ prefetched: [], maxLearned: 0, latest, ask: latest }, CLOCK, pages);
    for (const target of ['/primary', '/x/-/page', '/-page']) handle({ ...REQUEST, target });
  });
});
