import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { areForeign, foreignRemedy, foreignText, isByPatroni } from '../../src/patroni/recognition.js';
import type { RoutedAnswer } from '../../src/patroni/recognition.js';
import { canonicalRoute } from '../../src/patroni/routes.js';

const NODE = '{"state": "running", "role": "replica", "patroni": {"version": "3.0.2", "scope": "main"}}';

const asked = (route: string, status: number, body = ''): RoutedAnswer => ({
  route: canonicalRoute(route) ?? assert.fail(route),
  answer: { status, body: Buffer.from(body) },
});

describe('an answer', () => {
  it('is by Patroni if its body has the member that Patroni writes with each status', () => {
    for (const route of ['/primary', '/replica?lag=10MB', '/read-only', '/health', '/patroni']) {
      for (const status of [200, 503]) assert.equal(isByPatroni(asked(route, status, NODE)), true, route);
    }
  });

  it('is by Patroni also if Python wrote a number that is no JSON', () => {
    assert.equal(isByPatroni(asked('/primary', 503, NODE.replace('{"state"', '{"timeline": NaN, "state"'))), true);
  });

  it('is by something else if its body has no such member', () => {
    const bodies = ['', '404 page not found\n', '<html>502 Bad Gateway</html>', '{"health": "true"}', '"patroni'];
    for (const body of bodies) {
      for (const status of [200, 204, 301, 400, 404, 502, 503])
        assert.equal(isByPatroni(asked('/primary', status, body)), false);
    }
  });

  it('cannot tell if Patroni itself answers the route with another body, but Patroni never answers 404', () => {
    for (const route of ['/liveness', '/readiness', '/cluster', '/history', '/config', '/metrics']) {
      for (const status of [200, 502, 503]) assert.equal(isByPatroni(asked(route, status)), undefined, route);
      assert.equal(isByPatroni(asked(route, 404, 'not found')), false, route);
    }
  });
});

describe('answers', () => {
  it('are foreign if one is by something else and none by Patroni', () => {
    assert.equal(areForeign([asked('/primary', 404), asked('/liveness', 200)]), true);
    assert.equal(areForeign([asked('/liveness', 200), asked('/config', 502)]), false);
    assert.equal(areForeign([]), false);
  });

  it('are not foreign if a proxy in front of Patroni replaces its 503s', () => {
    assert.equal(areForeign([asked('/primary', 503, '<html>'), asked('/replica', 200, NODE)]), false);
  });

  it('are told by status, without those that cannot tell', () => {
    const answers = [asked('/primary', 404), asked('/replica', 404), asked('/read-only', 502), asked('/liveness', 200)];
    assert.equal(
      foreignText('http://h:1', answers),
      'http://h:1 does not answer as Patroni (404 to /primary, /replica; 502 to /read-only)',
    );
  });

  it('say what to do, and whether the port expects TLS', () => {
    assert.match(
      foreignRemedy([asked('/primary', 404)]),
      /restapi\.listen .* backend\.host and backend\.port.* a proxy/,
    );
    for (const body of [
      'Client sent an HTTP request to an HTTPS server.\n',
      '<center>The plain HTTP request was sent to HTTPS port</center>',
    ])
      assert.match(foreignRemedy([asked('/primary', 400, body)]), /set backend\.scheme to https/);
  });
});
