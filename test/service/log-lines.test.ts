import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { parseConfig } from '../../src/config/parse.js';
import type { Config, LoadedConfig } from '../../src/config/types.js';
import { breakages } from '../../src/http/broken-connection.js';
import { type LogLines, createLogLines } from '../../src/service/log-lines.js';
import { factsOf } from '../support/witness/facts.js';

interface Line {
  readonly level: string;
  readonly message: string;
  readonly fields: object;
}

const configOf = (text: string): Config => parseConfig({ text, file: 'c.yml', nowMs: 0, readFile: () => '' });
const loaded = (text: string): LoadedConfig => ({
  config: configOf(text),
  file: 'c.yml',
  text,
  environment: {},
  files: new Map(),
});

describe('what the operator is told', () => {
  let told: Line[];
  let lines: LogLines;

  beforeEach(() => {
    mock.timers.enable({ apis: ['setTimeout'] });
    told = [];
    lines = createLogLines({
      write: (level, message, fields) => {
        told.push({ level, message, fields });
      },
    });
  });
  afterEach(() => {
    mock.timers.reset();
  });

  /** Lines that whoever is misconfigured would make again and again. */
  const repeated: readonly (readonly [string, (address: string) => void])[] = [
    [
      'no-proxy-header',
      (address) => {
        lines.noProxyHeader(address, 'the connection begins with other bytes');
      },
    ],
    [
      'proxy-header',
      (address) => {
        lines.proxyHeader(address);
      },
    ],
  ];

  it('is told of connections that end before they are a request once a minute for each reason', () => {
    for (let minute = 0; minute < 2; minute += 1) {
      for (let count = 0; count < 1000; count += 1) {
        for (const reason of breakages) lines.broken(reason, `10.0.0.${count}`, 'a detail');
      }
      mock.timers.tick(60_000);
    }
    const own = breakages.filter((reason) => !['proxy-header', 'no-proxy-header', 'silent'].includes(reason));
    const fields = own.map((reason) => ({ event: 'broken-connection', address: '10.0.0.0', reason }));
    assert.deepEqual(
      told.map((line) => line.fields),
      [...fields, ...fields],
    );
    assert.equal(
      told[0]?.message,
      '10.0.0.0 speaks no TLS, and this port is HTTPS (a detail): use check-ssl at HAProxy, https:// elsewhere',
    );
  });

  for (const [event, tell] of repeated) {
    it(`is told once a minute, and with the first address: ${event}`, () => {
      for (const address of ['10.0.0.5', '10.0.0.6', '10.0.0.5']) tell(address);
      mock.timers.tick(59_999);
      tell('10.0.0.7');
      assert.deepEqual(
        told.map(({ fields }) => fields),
        [{ event, address: '10.0.0.5' }],
      );
      mock.timers.tick(1);
      tell('10.0.0.8');
      tell('10.0.0.9');
      assert.deepEqual(
        told.map(({ fields }) => fields),
        [
          { event, address: '10.0.0.5' },
          { event, address: '10.0.0.8' },
        ],
      );
    });
  }

  it('is not kept quiet by a line of another kind', () => {
    for (const [, tell] of repeated) tell('10.0.0.5');
    assert.equal(told.length, repeated.length);
  });

  it('has the keys that a reload has changed, for people and for machines', () => {
    const [before, after] = [loaded('cache: {ttl: 5}'), loaded('{cache: {ttl: 6, interval: 2}, log: {format: json}}')];
    lines.reload({ kind: 'accepted', before, after });
    lines.reload({ kind: 'accepted', before: after, after });
    lines.reload({ kind: 'unchanged' });
    assert.equal(told.length, 2);
    const [other, same] = told;
    const { event, changed } = other?.fields as { event: string; changed: string[] };
    assert.equal(event, 'reloaded');
    assert.deepEqual([...changed].sort(), ['backend.timeout', 'cache.interval', 'cache.ttl', 'log.format']);
    assert.equal(other?.message, `reloaded; changed: ${changed.join(', ')}`);
    assert.deepEqual(same?.fields, { event: 'reloaded', changed: [] });
  });

  it('has each problem of a configuration that is refused in a line of its own', () => {
    lines.reload({ kind: 'refused', cause: new Error('one\ntwo') });
    assert.deepEqual(
      told.map(({ level, message, fields }) => [level, message.split(': ').at(-1), fields]),
      [
        ['warn', 'one', { event: 'reload-refused' }],
        ['warn', 'two', { event: 'reload-refused' }],
      ],
    );
  });

  it('has the state of the witness, and few lines of an etcd that fails again and again', () => {
    const unreachable = { kind: 'unreachable', reason: 'refused', message: 'connection refused' } as const;
    lines.witness({ kind: 'not-compared' });
    for (let count = 0; count < 100; count += 1) {
      lines.witness({ kind: 'agrees', connUrl: '' });
      lines.witness(unreachable);
    }
    const events = (): unknown[] => told.map(({ level, fields }) => [level, (fields as { event: string }).event]);
    const first = [
      ['info', 'witness-agrees'],
      ['warn', 'witness-unreachable'],
      ['info', 'witness-agrees'],
    ];
    assert.deepEqual(events(), first);
    mock.timers.tick(60_000);
    assert.deepEqual(events(), [...first, ['warn', 'witness-unreachable']], 'what holds in the end');
    mock.timers.tick(60_000);
    lines.witness({ kind: 'contradicts', message: 'correct witness.name' });
    assert.deepEqual(events().at(-1), ['warn', 'witness-contradicts']);
    assert.equal(told.at(-1)?.message, 'the witness is not used: correct witness.name');
  });

  it('has each read of the witness, for debugging', () => {
    lines.witnessRead({ kind: 'read', facts: factsOf({ remainingS: 29 }), askedAtMs: 0, endedAtMs: 3.14 });
    const failure = { reason: 'timed-out', message: 'x' } as const;
    lines.witnessRead({ kind: 'failed', failure, askedAtMs: 0, endedAtMs: 2000 });
    assert.deepEqual(
      told.map(({ message }) => message),
      [
        'read the witness: leader node1, lease 29 s, PostgreSQL accepts in 3.1 ms',
        'read the witness: poll timed out (x) in 2000.0 ms',
      ],
    );
  });
});
