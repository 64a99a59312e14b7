import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { answerOf } from '../../src/witness/answer.js';
import { PRIMARY_MEMBER, REPLICA_MEMBER, factsOf } from '../support/witness/facts.js';

const yes = { status: 200, endsAtMs: 0, why: 'the leader key names this node' } as const;

const SINCE_MS = Date.parse('2026-01-02T03:04:05Z');

function bodyOf(facts: ReturnType<typeof factsOf>): string {
  return answerOf(yes, facts, SINCE_MS).body.toString();
}

describe('an answer of the witness', () => {
  it('is spelt as Patroni spells its own, and says only what the keys say', () => {
    const { status, contentType, body } = answerOf(yes, factsOf({ remainingS: 27 }), SINCE_MS);
    assert.deepEqual([status, contentType], [200, 'application/json']);
    assert.equal(
      body.toString(),
      '{"state": "running", "role": "primary", "timeline": 3, "database_system_identifier": "7000000000000000001", ' +
        '"patroni": {"version": "4.1.4", "name": "node1"}, ' +
        '"witness": {"source": "etcd3", "says": "the leader key names this node", "lease_seconds": 27}}',
    );
  });

  it('says at 503 that Patroni does not answer, and since when', () => {
    const no = { status: 503, endsAtMs: 0, why: 'no node holds the leader key' } as const;
    const { body } = answerOf(no, factsOf({ leader: undefined, member: undefined }), SINCE_MS);
    assert.equal(
      body.toString(),
      '{"detail": "Patroni does not answer; by the witness: no node holds the leader key", ' +
        '"since": "2026-01-02T03:04:05.000Z", "database_system_identifier": "7000000000000000001", ' +
        '"patroni": {"name": "node1"}, "witness": {"source": "etcd3", "says": "no node holds the leader key"}}',
    );
  });

  it('has tags, the pause, and the rest of the lease of the member key of a replica', () => {
    const member = { ...REPLICA_MEMBER, tags: { zone: 'a', list: [1, null, 'é"'] } };
    const config = { ttl: 30, pause: true };
    const body = bodyOf(factsOf({ leader: 'node2', member, config, remainingS: 12 }));
    assert.match(body, /"tags": \{"zone": "a", "list": \[1, null, "é\\""\]\}/);
    assert.match(body, /"pause": true/);
    assert.match(body, /"lease_seconds": 12\}/);
    assert.deepEqual((JSON.parse(body) as { tags: object }).tags, member.tags);
  });

  it('is made of a node without a member key, and of one whose key is nested without end', () => {
    assert.match(bodyOf(factsOf({ member: undefined })), /^\{"database_system_identifier": "7/);
    let tags: object = {};
    for (let level = 0; level < 20_000; level += 1) tags = { tags };
    const facts = { ...factsOf(), member: { ...PRIMARY_MEMBER, tags } };
    assert.ok(bodyOf(facts).length < 1000);
  });
});
