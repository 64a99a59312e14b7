import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { configuredNames } from '../../src/service/configured-names.js';

describe('the names of cluster and node in the configuration of the witness', () => {
  it('are the last part of the key, with the group of Citus, and the name', () => {
    assert.deepEqual(configuredNames({}), {});
    assert.deepEqual(configuredNames({ witness: { key: '/service/main', name: 'node1' } }), {
      scope: 'main',
      name: 'node1',
    });
    for (const [key, scope] of [
      ['/service/main/0', 'main/0'],
      ['/service/17', '17'],
      ['/db/prod/main', 'main'],
    ] as const) {
      assert.deepEqual(configuredNames({ witness: { key } }), { scope });
    }
  });
});
