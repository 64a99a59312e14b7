import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { membersIn } from '../../src/patroni/cluster-members.js';

const read = (body: unknown): ReturnType<typeof membersIn> =>
  membersIn({ body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)) });

describe('the members in an answer to /cluster', () => {
  it('are read as Patroni 4.1 writes them', () => {
    const members = [
      {
        name: 'node1',
        role: 'leader',
        state: 'running',
        api_url: 'https://10.0.0.11:8008/patroni',
        host: '10.0.0.11',
        port: 5432,
        timeline: 4,
      },
      {
        name: 'node2',
        role: 'replica',
        state: 'streaming',
        api_url: 'http://[fd00::2]:8008/patroni',
        timeline: 4,
        lag: 0,
      },
      { name: 'node3', role: 'replica', state: 'stopped', lag: 'unknown' },
    ];
    assert.deepEqual(read({ members, scope: 'main' }), [
      { name: 'node1', role: 'leader', state: 'running', timeline: 4, 'api-host': '10.0.0.11' },
      { name: 'node2', role: 'replica', state: 'streaming', timeline: 4, lag: 0, 'api-host': 'fd00::2' },
      { name: 'node3', role: 'replica', state: 'stopped', lag: 'unknown' },
    ]);
  });

  it('are none, or without what cannot be read, if the body is something else', () => {
    for (const body of ['', 'no', '[]', '{}', { members: 7 }, { members: [7, null, {}, { name: 7 }] }]) {
      assert.deepEqual(read(body), [], JSON.stringify(body));
    }
    assert.deepEqual(read({ members: [{ name: 'n', role: [], timeline: '4', api_url: 'javascript:alert(1)' }] }), [
      { name: 'n' },
    ]);
    assert.deepEqual(read({ members: [{ name: 'n', api_url: 'http://a"b/' }] }), [{ name: 'n' }]);
  });

  it('are bounded in number and length', () => {
    const members = Array.from({ length: 1000 }, (_, index) => ({ name: `${index}`.padEnd(1000, 'x') }));
    const found = read({ members: members.slice(0, 200) });
    assert.deepEqual([found.length, found[0]?.name.length], [64, 120]);
    assert.deepEqual(read({ members }), [], 'too large');
  });
});
