import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { keys } from '../../src/config/keys.js';
import { canonicalRoute, isSlow, knownPaths, whatIsWrong } from '../../src/patroni/routes.js';
import { originForm } from '../../src/patroni/request-target.js';
import { targets } from '../support/clients/targets.js';

/** Target and canonical route; `undefined` where there is none. */
type Cases = readonly (readonly [target: string, canonical: string | undefined])[];

function check(cases: Cases): void {
  for (const [target, canonical] of cases) assert.equal(canonicalRoute(target), canonical, target);
}

describe('the canonical route', () => {
  it('is the same for all spellings of a question', () => {
    const aliases: Record<string, readonly string[]> = {
      '/primary': ['/', '/master', '/read-write', '/primary'],
      '/leader': ['/leader'],
      '/standby-leader': ['/standby_leader', '/standby-leader'],
      '/replica': ['/replica'],
      '/read-only': ['/read-only'],
      '/sync': ['/synchronous', '/sync'],
      '/async': ['/asynchronous', '/async'],
      '/quorum': ['/quorum'],
      '/read-only-sync': ['/read-only-synchronous', '/read-only-sync'],
      '/read-only-quorum': ['/read-only-quorum'],
      '/health': ['/health'],
      '/readiness': ['/readiness'],
      '/liveness': ['/liveness'],
      '/patroni': ['/patroni'],
      '/cluster': ['/cluster'],
      '/history': ['/history'],
      '/config': ['/config'],
      '/metrics': ['/metrics'],
    };
    check(Object.entries(aliases).flatMap(([canonical, paths]) => paths.map((path) => [path, canonical] as const)));
    assert.deepEqual(Object.values(aliases).flat().sort(), [...knownPaths].sort());
  });

  it('is its own canonical route', () => {
    for (const target of [...knownPaths, '/replica?lag=10MB&tag_a=%C3%A9+b', '/readiness?lag=1&mode=write']) {
      const canonical = canonicalRoute(target);
      assert.ok(canonical);
      assert.equal(canonicalRoute(canonical), canonical);
    }
  });

  it('takes three polls for the default routes', () => {
    assert.deepEqual(
      new Set(keys.backend.routes.default.map(canonicalRoute)),
      new Set(['/primary', '/replica', '/read-only']),
    );
  });

  it('is exact in path and case but for one trailing slash where Patroni does not see it', () => {
    check([
      ['/primary/', '/primary'],
      ['/metrics/', '/metrics'],
      ['/replica/?lag=1', '/replica?lag=1'],
      ['/?x=1', '/primary'],
      ['//', undefined],
      ['//?x=1', undefined],
      ['/primary//', undefined],
      ['/sync/', undefined],
      ['/synchronous/?lag=1', undefined],
      ['/async/', undefined],
      ['/quorum/', undefined],
      ['/read-only/', '/read-only'],
      ['/read-only-sync/', undefined],
      ['/read-only-quorum/', undefined],
      ['//primary', undefined],
      ['/Primary', undefined],
      ['/my-primary', undefined],
      ['/primary/x', undefined],
      ['/./primary', undefined],
      ['/%70rimary', undefined],
      ['/primary#x', undefined],
      ['primary', undefined],
      ['', undefined],
      ['?', undefined],
      ['*', undefined],
      ['http://localhost/primary', undefined],
      ['/-/healthy', undefined],
      ['/restart', undefined],
      ['/__proto__', undefined],
    ]);
  });

  it('keeps the query keys that change the answer, in order of their names', () => {
    check([
      ['/replica?lag=10MB', '/replica?lag=10MB'],
      ['/replica?replication_state=streaming&lag=1', '/replica?lag=1&replication_state=streaming'],
      ['/async?tag_zone=b&x=1&tag_a=1&Lag=5', '/async?tag_a=1&tag_zone=b'],
      ['/synchronous?lag=1&mode=write', '/sync?lag=1'],
      ['/readiness?mode=write&lag=1&tag_a=1', '/readiness?lag=1&mode=write'],
      ['/health?lag=1&tag_a=1', '/health?tag_a=1'],
      ['/primary?lag=1&tag_a=1', '/primary'],
      ['/master?', '/primary'],
      ['/leader?tag_a=1', '/leader'],
      ['/standby_leader?tag_a=1', '/standby-leader'],
      ['/cluster?lag=1', '/cluster'],
      ['/replica?', '/replica'],
      ['/replica?x', '/replica'],
      ['/replica?tag_=1', '/replica?tag_=1'],
    ]);
  });

  it('drops keys that only begin as one that changes the answer', () => {
    check([
      ['/replica?lax=1&lagg=1&la=1&tax=1&t=1&tag=1', '/replica'],
      ['/readiness?modes=write&mode=write', '/readiness?mode=write'],
    ]);
  });

  it("reads a query as Python's parse_qs does: no empty values, and of a repeated key the first", () => {
    check([
      ['/replica?lag=', '/replica'],
      ['/replica?lag', '/replica'],
      ['/replica?lag=1&lag=2', '/replica?lag=1'],
      ['/replica?lag=&lag=2&lag=3', '/replica?lag=2'],
      ['/replica?lag=much&lag=2', '/replica'],
      ['/replica?tag_b=2&tag_a=1&tag_b=3', '/replica?tag_a=1&tag_b=2'],
      ['/replica?&&lag=1&', '/replica?lag=1'],
      ['/replica?tag_a=1%3B2', '/replica?tag_a=1%3B2'],
      ['/replica?tag_a=a=b', '/replica?tag_a=a=b'],
      ['/replica?tag_a%3Db=c', '/replica?tag_a%3Db=c'],
      ['/replica?lag=10%4DB', '/replica?lag=10MB'],
      ['/replica?l%61g=1', '/replica?lag=1'],
      ['/replica?tag_a=x+y', '/replica?tag_a=x+y'],
      ['/replica?tag_a=x%20y', '/replica?tag_a=x+y'],
      ['/replica?tag_a%20b=1', '/replica?tag_a+b=1'],
      ['/replica?tag_a=%26%0D%0A', '/replica?tag_a=%26%0D%0A'],
      ['/replica?tag_a=%C3%A9', '/replica?tag_a=%C3%A9'],
      ['/replica?tag_a=1?lag=2', '/replica?tag_a=1?lag=2'],
      ['/replica??lag=1', '/replica'], // the key is `?lag`
    ]);
  });

  it('is none for a target that is malformed, though its path is known', () => {
    for (const query of [
      '#x',
      '?lag=1#x',
      '?tag_a=\u00e9',
      '?tag_a=%zz',
      '?tag_a=%',
      '?tag_a=%ff',
      '?\t',
      '? ',
      '?\u007f',
    ]) {
      check([
        [`/replica${query}`, undefined],
        [`/primary${query}`, undefined],
      ]);
    }
    const longest = `/replica?tag_a=${'x'.repeat(1024 - 15)}`;
    check([
      [longest, longest],
      [`${longest}x`, undefined],
    ]);
  });

  it('is one for all spellings of a lag that are surely alike, and none for one that Patroni ignores', () => {
    check([
      ['/replica?lag=10MB', '/replica?lag=10MB'],
      ['/replica?lag=10%20MB', '/replica?lag=10MB'],
      ['/replica?lag=+10MB+', '/replica?lag=10MB'],
      ['/replica?lag=10240kB', '/replica?lag=10MB'],
      ['/replica?lag=10485760', '/replica?lag=10MB'],
      ['/replica?lag=10485760B', '/replica?lag=10MB'],
      ['/replica?lag=10485761', '/replica?lag=10485761'],
      ['/replica?lag=1024GB', '/replica?lag=1TB'],
      ['/replica?lag=2048TB', '/replica?lag=2048TB'],
      ['/replica?lag=0', '/replica?lag=0'],
      ['/replica?lag=0MB', '/replica?lag=0'],
      ['/replica?lag=10mb', '/replica'],
      ['/replica?lag=10s', '/replica'],
      ['/replica?lag=much', '/replica'],
      ['/readiness?lag=much&mode=write', '/readiness?mode=write'],
    ]);
    for (const asItIs of [
      '-1',
      '%2B1',
      '010',
      '0x10',
      '0xFF',
      '0xB',
      '0xffMB',
      '0xdeadbeef',
      '1.5MB',
      '.5MB',
      '1e3',
      '1eB2',
      '9007199254740993',
      '9999TB',
      '9216000000000kB', // too many bytes to compute with
      '9'.repeat(40),
      '1_0',
    ]) {
      check([[`/replica?lag=${asItIs}`, `/replica?lag=${asItIs}`]]);
    }
  });

  it('is none for a lag at which Patroni would fail, and what is wrong is told', () => {
    for (const lag of [
      '1e999',
      '1E400',
      '1e-400',
      `${'9'.repeat(400)}.5`,
      '1e%3400',
      `${'9'.repeat(310)}TB`,
      '9'.repeat(41),
    ]) {
      check([[`/replica?lag=${lag}`, undefined]]);
      assert.equal(whatIsWrong(`/replica?lag=${lag}`), 'the lag in the query is out of range');
    }
    check([['/primary?lag=1e999', '/primary']]); // a lag is nothing to it
  });

  it('is the same for every mode but write', () => {
    check([
      ['/readiness?mode=write', '/readiness?mode=write'],
      ['/readiness?mode=apply', '/readiness'],
      ['/readiness?mode=WRITE', '/readiness'],
    ]);
  });
});

describe('the origin form of a target', () => {
  it("is that of Python's server: slashes at the beginning are one, and an absolute URI is its path", () => {
    for (const [target, origin] of [
      ['/primary', '/primary'],
      ['//primary', '/primary'],
      ['////leader?x=//y', '/leader?x=//y'],
      ['//', '/'],
      ['//?x=1', '/?x=1'],
      ['/primary//', '/primary//'],
      ['http://h/primary', '/primary'],
      ['HTTPS://u:p@h.example:8009/replica?lag=1', '/replica?lag=1'],
      ['http://[fe80::1%25eth0]:8009/', '/'],
      ['http://h//primary', '//primary'], // Python makes one of those at the very beginning alone
      ['http://h/x?y=http://z/primary', '/x?y=http://z/primary'],
    ] as const) {
      assert.equal(originForm(target), origin, target);
    }
  });

  it('is the target itself where that is neither', () => {
    for (const target of [
      '',
      '*',
      'primary',
      'http://h',
      'http://h?x',
      'http:///primary',
      'http:/primary',
      'ftp://h/primary',
      'http://h:x y/primary',
      'http://[::1/primary',
      'xhttp://h/primary',
      'h:80',
    ]) {
      assert.equal(originForm(target), target, target);
    }
  });
});

describe('whatever is asked', () => {
  const RUNS = { numRuns: 1000 };
  const anything = fc.oneof(
    targets,
    fc.string({ unit: 'binary' }),
    fc.string({ unit: 'binary' }).map((text) => `/replica?${text}`),
  );

  it('has a canonical route or none, and nothing is thrown', () => {
    fc.assert(
      fc.property(anything, (target) => {
        const route = canonicalRoute(target) ?? '/';
        assert.match(route, /^\/[!-~]*$/);
        assert.ok(route.length <= Math.max(target.length, '/primary'.length), route);
      }),
      RUNS,
    );
  });

  it('is told what is wrong with it only when it has none', () => {
    fc.assert(
      fc.property(anything, (target) => {
        if (whatIsWrong(target) !== undefined) assert.equal(canonicalRoute(target), undefined);
      }),
      RUNS,
    );
  });

  it('has a canonical route that is its own', () => {
    fc.assert(
      fc.property(anything, (target) => {
        const route = canonicalRoute(target);
        if (route !== undefined) assert.equal(canonicalRoute(route), route);
      }),
      RUNS,
    );
  });
});

describe('the slow routes', () => {
  it('are those of people and monitoring', () => {
    const slow = knownPaths.filter((path) => {
      const route = canonicalRoute(path);
      return route !== undefined && isSlow(route);
    });
    assert.deepEqual(slow, ['/patroni', '/cluster', '/history', '/config', '/metrics']);
    const withQuery = canonicalRoute('/replica?lag=1');
    assert.ok(withQuery);
    assert.equal(isSlow(withQuery), false);
  });
});
