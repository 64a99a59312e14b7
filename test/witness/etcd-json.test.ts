import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  type StoredKeys,
  keysQuestion,
  leaseQuestion,
  leasesOf,
  nodeKeys,
  readError,
  readKeys,
  readLease,
  readToken,
  tokenQuestion,
} from '../../src/witness/etcd-json.js';

const KEY = '/service/main';
const NAME = 'node1';
const PATHS = ['leader', 'members/node1', 'config', 'status', 'sync', 'initialize'].map((last) => `${KEY}/${last}`);
const ID = '7587862094297100000';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

interface Kv {
  readonly key: string;
  readonly value?: unknown;
  readonly lease?: unknown;
}

/** What etcd answers when it has these keys; the header and the revisions are left out. */
function answering(kvs: readonly (Kv | undefined)[]): Buffer {
  const responses = kvs.map((kv) => ({ response_range: kv ? { kvs: [kv], count: '1' } : {} }));
  return json({ succeeded: true, responses });
}

/** etcd has the leader key alone, which may be odd. */
const withLeader = (leader: Partial<Kv>): Buffer =>
  answering(
    PATHS.map((path, index) => (index === 0 ? { key: base64(path), value: base64(NAME), ...leader } : undefined)),
  );

function keysIn(body: Buffer): StoredKeys {
  const reading = readKeys(body, KEY, NAME);
  return reading.kind === 'read' ? reading.value : assert.fail(reading.problem);
}

function problemIn(body: Buffer): string {
  const reading = readKeys(body, KEY, NAME);
  return reading.kind === 'problem' ? reading.problem : assert.fail(JSON.stringify(reading.value));
}

describe('The question for the keys of a node', () => {
  it('reads six keys and writes nothing', () => {
    const question = JSON.parse(keysQuestion(KEY, NAME)) as { success: { request_range: { key: string } }[] };
    assert.deepEqual(Object.keys(question), ['success']);
    assert.deepEqual(
      question.success.map(({ request_range }) => Buffer.from(request_range.key, 'base64').toString()),
      PATHS,
    );
  });

  it('asks for linearizable ranges of one key each', () => {
    const question = JSON.parse(keysQuestion(KEY, NAME)) as { success: object[] };
    for (const one of question.success) {
      assert.deepEqual(Object.keys(one), ['request_range']);
      assert.deepEqual(Object.values(one).map(Object.keys), [['key']], 'neither `serializable` nor `range_end`');
    }
  });
});

describe("etcd's answer to it", () => {
  it('gives values and leases', () => {
    const body = answering(
      PATHS.map((path, index) => ({
        key: base64(path),
        value: base64(`value ${index} ü`),
        ...(index < 2 && { lease: ID }),
      })),
    );
    assert.deepEqual(keysIn(body), {
      leader: { value: 'value 0 ü', leaseId: ID },
      member: { value: 'value 1 ü', leaseId: ID },
      config: { value: 'value 2 ü' },
      status: { value: 'value 3 ü' },
      sync: { value: 'value 4 ü' },
      initialize: { value: 'value 5 ü' },
    });
  });

  it('leaves out a key that does not exist', () => {
    assert.deepEqual(keysIn(answering(PATHS.map(() => undefined))), {});
  });

  it('leaves out what is empty or 0', () => {
    assert.deepEqual(keysIn(withLeader({ value: undefined })), { leader: { value: '' } });
    assert.deepEqual(keysIn(withLeader({ lease: '0' })), { leader: { value: NAME } });
  });

  it('keeps an ID that no JavaScript number holds', () => {
    assert.deepEqual(keysIn(withLeader({ lease: '7587862094297100001' })).leader?.leaseId, '7587862094297100001');
  });

  for (const [what, body, problem] of [
    ['no JSON', Buffer.from('<html>'), /no JSON object/],
    ['a list', json([]), /no JSON object/],
    ['a transaction that did not succeed', json({ responses: [] }), /did not succeed/],
    ['too few ranges', answering([undefined]), /no list of 6 ranges/],
    ['no ranges', json({ succeeded: true, responses: PATHS.map(() => ({})) }), /leader: no range/],
    [
      'no list of keys',
      json({ succeeded: true, responses: PATHS.map(() => ({ response_range: { kvs: 7 } })) }),
      /list/,
    ],
    ['another key', withLeader({ key: base64(`${KEY}/failover`) }), /leader: another key/],
    ['a value that is no base64', withLeader({ value: 'no base64!' }), /leader: a value that is no text/],
    ['a value that is no UTF-8', withLeader({ value: Buffer.from([0xff]).toString('base64') }), /no text/],
    ['a value that is a number', withLeader({ value: 7 }), /no text/],
    ['a lease that is a number', withLeader({ lease: 7 }), /a lease that is no number/],
    ['a lease that is a word', withLeader({ lease: 'long' }), /a lease that is no number/],
  ] as const) {
    it(`is a problem in words if it has ${what}`, () => {
      assert.match(problemIn(body), problem);
    });
  }
});

describe('The leases that matter', () => {
  const key = (value: string, leaseId?: string) => ({ value, ...(leaseId !== undefined && { leaseId }) });
  it('are the one of both keys, asked for once', () => {
    assert.deepEqual(leasesOf({ leader: key(NAME, ID), member: key('{}', ID) }, NAME), [ID]);
  });
  it('are two if the keys have two', () => {
    assert.deepEqual(leasesOf({ leader: key(NAME, '1'), member: key('{}', '2') }, NAME), ['2', '1']);
  });
  it("are the member's alone if another node leads", () => {
    assert.deepEqual(leasesOf({ leader: key('node2', '1'), member: key('{}', '2') }, NAME), ['2']);
  });
  it('are none without keys, or of keys without a lease', () => {
    assert.deepEqual(leasesOf({}, NAME), []);
    assert.deepEqual(leasesOf({ leader: key(NAME), member: key('{}') }, NAME), []);
  });
});

describe('The life of a lease', () => {
  const life = (said: object) => readLease(json({ ID, ...said }), ID);
  const none = { kind: 'read', value: undefined };
  it('is asked for by its ID, as text', () => {
    assert.deepEqual(JSON.parse(leaseQuestion(ID)), { ID });
  });
  it('is in whole seconds', () => {
    const value = { remainingMs: 29_000, grantedMs: 30_000 };
    assert.deepEqual(life({ TTL: '29', grantedTTL: '30' }), { kind: 'read', value });
  });
  it('is 0 where etcd leaves it out', () => {
    assert.deepEqual(life({ TTL: '34', grantedTTL: '30' }), {
      kind: 'read',
      value: { remainingMs: 30_000, grantedMs: 30_000 },
    });
    assert.deepEqual(life({ grantedTTL: '30' }), { kind: 'read', value: { remainingMs: 0, grantedMs: 30_000 } });
  });
  for (const [what, said] of [
    ['is gone', { TTL: '-1' }],
    ['is gone, and etcd says nothing', {}],
    ['ran out, and is not revoked yet', { TTL: '-1', grantedTTL: '30' }],
    ['is said to live longer than granted and an election', { TTL: '81', grantedTTL: '30' }],
    ['has the 9223372036 of etcd 17642', { TTL: '9223372036', grantedTTL: '30' }],
    ['is said to live for ever', { TTL: '9223372036', grantedTTL: '9223372036' }],
    ['has numbers that are no texts', { TTL: 29, grantedTTL: 30 }],
    ['has a fraction', { TTL: '2.5', grantedTTL: '30' }],
    ['has words', { TTL: 'many', grantedTTL: 'more' }],
    ['has null', { TTL: null, grantedTTL: '30' }],
  ] as const) {
    it(`is not known if it ${what}`, () => {
      assert.deepEqual(life(said), none);
    });
  }
  it('is a problem if the answer is about another lease, or is no JSON', () => {
    assert.equal(readLease(json({ ID: '1', TTL: '29', grantedTTL: '30' }), ID).kind, 'problem');
    assert.equal(readLease(Buffer.from('{'), ID).kind, 'problem');
  });
  it('goes to the key that has the lease', () => {
    const life = { remainingMs: 1000, grantedMs: 30_000 };
    const stored = {
      leader: { value: 'node2', leaseId: '1' },
      member: { value: '{}', leaseId: '2' },
      sync: { value: '' },
    };
    assert.deepEqual(nodeKeys(stored, new Map([['2', life]])), {
      leader: { value: 'node2' },
      member: { value: '{}', lease: life },
      sync: '',
    });
  });
});

describe('A token', () => {
  it('is asked for with name and password', () => {
    assert.deepEqual(JSON.parse(tokenQuestion('glue', 'a"b')), { name: 'glue', password: 'a"b' });
  });
  it('is fit for a header, or a problem', () => {
    assert.deepEqual(readToken(json({ token: 'MBrbJJrJSsCrUxyS.17' })), { kind: 'read', value: 'MBrbJJrJSsCrUxyS.17' });
    for (const token of ['', 'a\r\nX: b', 'ü', 7, undefined, 'x'.repeat(8193)]) {
      assert.equal(readToken(json({ token })).kind, 'problem');
    }
  });
});

describe('An error of etcd', () => {
  it('has a status of gRPC and a message', () => {
    const body = json({ error: 'etcdserver: no leader', message: 'etcdserver: no leader', code: 14 });
    assert.deepEqual(readError(body), { code: 14, message: 'etcdserver: no leader' });
    assert.deepEqual(readError(json({ error: 'old', code: 2 })), { code: 2, message: 'old' });
  });
  it('is printable and short, and shows no secret', () => {
    const { message } = readError(json({ message: `\x1b[31m\nsecret${'x'.repeat(155)}secret`, code: 2 }), [
      'secret',
      '',
    ]);
    assert.match(message, /^\?\[31m\?\*\*\*x{1,155}/);
    assert.ok(message.length <= 163);
    assert.doesNotMatch(message, /sec/);
  });
  it('has no status where something else answered', () => {
    assert.deepEqual(readError(Buffer.from('<html>')), { code: undefined, message: '' });
  });
});

describe('Whatever a body has', () => {
  /** Any JSON, and JSON that is almost what etcd says. */
  const part = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom(...PATHS.map(base64), base64(NAME), ID, '0', '-1', '30', '9223372036', null, undefined),
  );
  const kv = fc.record({ key: part, value: part, lease: part }, { requiredKeys: [] });
  const range = fc.record({ response_range: fc.oneof(fc.record({ kvs: fc.array(kv, { maxLength: 2 }) }), part) });
  const body = fc.oneof(
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    fc.json().map((text) => Buffer.from(text)),
    fc
      .record({
        succeeded: fc.oneof(fc.constant(true), part),
        responses: fc.array(range, { minLength: 6, maxLength: 6 }),
      })
      .map(json),
    fc
      .record({ ID: fc.constantFrom(ID, '1'), TTL: part, grantedTTL: part, token: part, code: part, message: part })
      .map(json),
  );

  it('no reader throws', () => {
    fc.assert(
      fc.property(body, (bytes) => {
        for (const reading of [readKeys(bytes, KEY, NAME), readLease(bytes, ID), readToken(bytes)]) {
          assert.ok(reading.kind === 'read' || reading.problem !== '');
        }
        assert.ok(readError(bytes, ['a']).message.length <= 163);
      }),
    );
  });

  it('the life of a lease is between 0 and what was granted', () => {
    const number = fc.oneof(
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n }).map(String),
      fc.integer({ min: -2, max: 60 }).map(String),
      fc.integer(),
      fc.string(),
    );
    const said = fc.record({ TTL: number, grantedTTL: number }, { requiredKeys: [] });
    fc.assert(
      fc.property(said, (numbers) => {
        const reading = readLease(json({ ID, ...numbers }), ID);
        if (reading.kind !== 'read' || reading.value === undefined) return;
        const { remainingMs, grantedMs } = reading.value;
        assert.ok(remainingMs >= 0 && remainingMs <= grantedMs && Number.isSafeInteger(grantedMs));
        assert.equal(numbers.grantedTTL, String(grantedMs / 1000));
      }),
    );
  });

  it('every value of every key comes back as it was put', () => {
    const text = fc.string({ unit: 'grapheme' });
    fc.assert(
      fc.property(text, text, (value, name) => {
        const stored = readKeys(
          answering([
            { key: base64(`${KEY}/leader`), value: base64(value), lease: ID },
            { key: base64(`${KEY}/members/${name}`), value: base64(value) },
            ...PATHS.slice(2).map(() => undefined),
          ]),
          KEY,
          name,
        );
        assert.deepEqual(stored, { kind: 'read', value: { leader: { value, leaseId: ID }, member: { value } } });
      }),
    );
  });
});
