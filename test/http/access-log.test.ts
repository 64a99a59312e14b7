import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type AccessEntry, createAccessLine } from '../../src/http/access-log.js';

const ENTRY: AccessEntry = { address: '10.0.0.5', method: 'HEAD', target: '/primary', status: 503, tookUs: 123.6 };

describe('a line of the access log', () => {
  for (const [logFormat, line] of [
    ['%a', '10.0.0.5'],
    ['%m', 'HEAD'],
    ['%U', '/primary'],
    ['%s', '503'],
    ['%D', '124'],
    ['%%s', '%s'],
    ['%x %', '%x %'],
    ['%a - %m %U %s %s', '10.0.0.5 - HEAD /primary 503 503'],
  ] as const) {
    it(`says "${line}" for ${logFormat}`, () => {
      assert.equal(createAccessLine(logFormat)(ENTRY), line);
    });
  }

  it('takes no field from what a client asks for', () => {
    assert.equal(createAccessLine('%U %s')({ ...ENTRY, target: '/%s$&' }), '/%s$& 503');
  });
});
