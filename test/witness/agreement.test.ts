import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Answer } from '../../src/patroni/types.js';
import { type PatroniSays, type ThisHost, disagreement, saidIn } from '../../src/witness/agreement.js';
import { afterComparison, mayBeUsed } from '../../src/witness/trust.js';
import { type FactsOptions, PRIMARY_MEMBER, factsOf } from '../support/witness/facts.js';

const HOST = { hostname: 'node1', addresses: ['10.0.0.5', 'fd00::5'], postgres: { host: 'localhost', port: 5432 } };
const SAID: PatroniSays = { name: 'node1', systemIdentifier: '7000000000000000001', leads: true, isRunning: true };

function answer(status: number, body: object): Answer {
  return { status, body: Buffer.from(JSON.stringify(body)) };
}

describe('what Patroni says of its node', () => {
  it('is read from its answers', () => {
    const body = {
      state: 'running',
      role: 'primary',
      database_system_identifier: '7',
      patroni: { version: '4.1.4', scope: 'main', name: 'node1' },
    };
    const known = { name: 'node1', systemIdentifier: '7', isRunning: true };
    assert.deepEqual(saidIn('/primary', answer(200, body)), { ...known, leads: true });
    assert.deepEqual(saidIn('/replica', answer(503, body)), known, 'only the routes of a leader tell who leads');
    assert.deepEqual(saidIn('/primary', answer(503, { ...body, role: 'replica' })), { ...known, leads: false });
    assert.deepEqual(saidIn('/primary', answer(503, { ...body, role: 'standby_leader' })), known);
    assert.deepEqual(saidIn('/standby-leader', answer(503, body)), known);
    assert.deepEqual(saidIn('/leader', answer(503, { ...body, state: 'stopped' })), {
      ...known,
      leads: false,
      isRunning: false,
    });
    assert.deepEqual(saidIn('/primary', { status: 503, body: Buffer.from('no JSON') }), {});
  });
});

describe('a disagreement of the witness with Patroni', () => {
  it('names the key of the configuration to correct, and whether a change under way may be the cause', () => {
    const rows: readonly (readonly [FactsOptions, Partial<PatroniSays>, RegExp | undefined, boolean?])[] = [
      [{}, {}, undefined],
      [{}, { name: 'node2' }, /^witness\.name is node1, but Patroni calls this node node2/, true],
      [{ keys: { initialize: '8' } }, {}, /another cluster .* correct witness\.key or witness\.etcd3\.hosts/, true],
      [
        { member: undefined },
        {},
        /no member node1 under witness\.key, although name and key are right: its key has expired/,
        false,
      ],
      [{ leader: 'node2' }, {}, /Patroni answers 200 as the leader, but the leader key names node2/, false],
      [{}, { leads: false }, /Patroni answers 503 as no leader, but the leader key names node1/, false],
      [{ leader: undefined }, { leads: false }, undefined],
      [
        { postgres: 'refuses' },
        {},
        /accepts no connections at localhost:5432 \(witness\.postgres, or its default\): write .* as witness\.postgres/,
        false,
      ],
      [
        { postgres: 'silent' },
        {},
        /accepts no connections at localhost:5432 \(witness\.postgres, or its default\): write .* as witness\.postgres/,
        false,
      ],
      [{ postgres: 'refuses' }, { isRunning: false }, undefined],
      [{ postgres: 'not-asked' }, {}, undefined],
    ];
    for (const [facts, said, message, isCertain] of rows) {
      const found = disagreement(factsOf(facts), { ...SAID, ...said }, HOST);
      if (message === undefined) assert.equal(found, undefined, JSON.stringify([facts, said]));
      else {
        assert.match(found?.message ?? '', message);
        assert.equal(found?.isCertain, isCertain, found?.message);
      }
    }
    const missing = (wasFound?: boolean) =>
      disagreement(factsOf({ member: undefined }), {}, HOST, wasFound)?.message ?? '';
    assert.match(
      missing(),
      /if node1 is not the name in patroni\.yml, correct witness\.name; if it is, the key has expired/,
    );
    assert.match(missing(true), /although name and key are right/, 'an earlier comparison has found the node');
    const other = { ...HOST, postgres: { host: '10.0.0.5', port: 5433 } };
    const refusing = disagreement(factsOf({ postgres: 'refuses' }), SAID, other)?.message ?? '';
    assert.match(refusing, /accepts no connections at 10\.0\.0\.5:5433 \(witness\.postgres, or its default\): /);
    const elsewhere = { ...factsOf(), keys: {} };
    assert.match(disagreement(elsewhere, SAID, HOST)?.message ?? '', /no cluster under witness\.key/);
  });

  it('is found by the address of the member, if Patroni does not say its name', () => {
    const nameless: PatroniSays = { systemIdentifier: '7000000000000000001', leads: true, isRunning: true };
    const at = (conn_url: unknown, host: ThisHost = HOST) =>
      disagreement(factsOf({ member: { ...PRIMARY_MEMBER, conn_url } }), nameless, host)?.message;
    assert.equal(at('postgres://10.0.0.5:5432/postgres'), undefined);
    assert.equal(at('postgres://[fd00::5]:5432/postgres'), undefined);
    assert.equal(at('postgres://127.0.0.1:5432/postgres'), undefined);
    assert.equal(at('postgres://localhost:5432/postgres'), undefined);
    assert.equal(at('postgres://node1.example.org:5432/postgres'), undefined);
    assert.equal(at('postgres://node1.a:5432/', { ...HOST, hostname: 'NODE1.A' }), undefined);
    assert.match(
      at('postgres://node1.a:5432/', { ...HOST, hostname: 'node1.b' }) ?? '',
      /name of this host is node1\.b/,
    );
    assert.match(at('postgres://node10:5432/') ?? '', /name of this host is node1:/);
    assert.equal(at('postgres://10.0.0.5/postgres'), undefined, '5432 is the default');
    for (const odd of [undefined, null, 7, 'no URL', ''])
      assert.match(at(odd) ?? '', /conn_url is no URL/, String(odd));
    assert.match(at('postgres://10.0.0.6:5432/postgres') ?? '', /10\.0\.0\.6:5432, no address of this host/);
    assert.match(
      at('postgres://127.0.0.1:5433/postgres') ?? '',
      /patroniglue asks localhost:5432 \(witness\.postgres, or its default\)/,
    );
    assert.equal(at('postgres://127.0.0.1:5433/postgres', { hostname: 'node1', addresses: [] }), undefined);
    assert.equal(
      disagreement(factsOf({ member: { ...PRIMARY_MEMBER, conn_url: 'postgres://10.0.0.6/' } }), SAID, HOST),
      undefined,
    );
  });
});

describe('the trust in the witness', () => {
  const AGREES = { kind: 'agrees', connUrl: PRIMARY_MEMBER.conn_url } as const;
  const DOUBT = { message: 'leader', isCertain: false };
  const at = (nowMs: number) => ({ loopWaitMs: 10_000, nowMs });

  it('ends at once with a certain contradiction, and one loop_wait later with any other', () => {
    const facts = factsOf();
    const agrees = afterComparison({ kind: 'not-compared' }, facts, undefined, at(0));
    assert.deepEqual(agrees, AGREES);
    assert.equal(afterComparison(agrees, facts, { ...DOUBT, isCertain: true }, at(0)).kind, 'contradicts');
    const doubted = afterComparison(agrees, facts, DOUBT, at(1000));
    assert.deepEqual(doubted, { kind: 'doubted', sinceMs: 1000, former: AGREES });
    assert.deepEqual(afterComparison({ kind: 'not-compared' }, facts, DOUBT, at(1)), { kind: 'doubted', sinceMs: 1 });
    assert.deepEqual(afterComparison(doubted, facts, DOUBT, at(10_999)), doubted);
    const contradicted = afterComparison(doubted, facts, DOUBT, at(11_000));
    assert.deepEqual(contradicted, { kind: 'contradicts', message: 'leader' });
    assert.equal(afterComparison(contradicted, facts, DOUBT, at(12_000)).kind, 'contradicts');
    assert.deepEqual(afterComparison(contradicted, facts, undefined, at(13_000)), AGREES);
  });

  it('allows facts only after a comparison that agreed, of the same address, or without one if they are certainly about this node', () => {
    const identity = { name: 'node1', systemIdentifier: '7000000000000000001' };
    const elsewhere = factsOf({ member: { ...PRIMARY_MEMBER, conn_url: 'postgres://10.0.0.6:5432/' } });
    assert.equal(mayBeUsed(AGREES, factsOf(), identity, HOST), true);
    assert.equal(mayBeUsed(AGREES, factsOf({ leader: 'node2' }), identity, HOST), true);
    assert.equal(mayBeUsed(AGREES, factsOf({ keys: { initialize: '8' } }), identity, HOST), false);
    assert.equal(mayBeUsed(AGREES, factsOf({ member: undefined }), identity, HOST), true);
    assert.equal(mayBeUsed(AGREES, elsewhere, identity, HOST), false, 'another host has taken over the name');
    assert.equal(mayBeUsed({ kind: 'doubted', sinceMs: 0 }, factsOf(), identity, HOST), false);
    assert.equal(mayBeUsed({ kind: 'doubted', sinceMs: 0, former: AGREES }, factsOf(), identity, HOST), true);
    assert.equal(mayBeUsed({ kind: 'doubted', sinceMs: 0, former: AGREES }, elsewhere, identity, HOST), false);
    assert.equal(mayBeUsed({ kind: 'contradicts', message: '' }, factsOf(), identity, HOST), false);
    assert.equal(mayBeUsed({ kind: 'not-compared' }, factsOf(), {}, HOST), true);
    assert.equal(mayBeUsed({ kind: 'not-compared' }, elsewhere, {}, HOST), false);
    assert.equal(mayBeUsed({ kind: 'not-compared' }, factsOf({ member: undefined }), {}, HOST), false);
  });
});
