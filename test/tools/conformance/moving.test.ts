import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isBetween } from './moving.js';

const between = (earlier: string, body: string, later: string): boolean => {
  const [a, b, c] = [earlier, body, later].map((text) => Buffer.from(text)) as [Buffer, Buffer, Buffer];
  return isBetween(a, b, c);
};

const status = (location: number, seen: number, replayed = 'null', role = 'replica'): string =>
  `{"state": "running", "role": "${role}", "xlog": {"received_location": ${location}, "replayed_location": ${location}, ` +
  `"replayed_timestamp": ${replayed}, "paused": false}, "dcs_last_seen": ${seen}, "patroni": {"version": "3.0.2"}}`;

const cluster = (lsn: string, lag: number | string): string =>
  `{"members": [{"name": "node1", "role": "leader", "lsn": "${lsn}"}, {"name": "node2", "lag": ${lag}}], "scope": "x"}`;

const metrics = (location: number, master = 1): string =>
  `# TYPE patroni_xlog_location counter\npatroni_xlog_location{scope="x"} ${location}\npatroni_master{scope="x"} ${master}\n`;

describe('isBetween', () => {
  it('takes positions and clocks that moved on', () => {
    assert.ok(between(status(90, 5), status(100, 5), status(1000, 6)));
    assert.ok(between(status(90, 5), status(90, 5), status(90, 5)));
    assert.ok(between(metrics(90), metrics(100), metrics(1000)));
    const [earlier, later] = ['"2026-01-01 00:00:00.9+00:00"', '"2026-01-01 00:00:01.1+00:00"'];
    assert.ok(between(status(1, 1), status(1, 1, earlier), status(1, 1, later)));
    assert.ok(between(cluster('0/FFFFFFF0', 16), cluster('1/10', 4), cluster('A/0', '"unknown"')));
  });

  it('does not take those that went back, or ahead of Patroni', () => {
    assert.ok(!between(status(100, 5), status(90, 5), status(1000, 6)));
    assert.ok(!between(status(100, 5), status(2000, 5), status(1000, 6)));
    assert.ok(!between(metrics(100), metrics(90), metrics(1000)));
    assert.ok(!between(cluster('1/10', 0), cluster('0/FFFFFFF0', 0), cluster('1/20', 0)));
  });

  it('does not take any other difference', () => {
    assert.ok(!between(status(1, 1), status(1, 1, 'null', 'primary'), status(1, 1)));
    assert.ok(!between(status(1, 1), `${status(1, 1)}\n`, status(1, 1)));
    assert.ok(!between(metrics(1), metrics(1, 0), metrics(1)));
    assert.ok(
      !between(status(1, 1), status(1, 1), status(1, 1, 'null', 'primary')),
      'Patroni itself said something else',
    );
    assert.ok(!between('{"version": 1}', '{"version": 2}', '{"version": 3}'));
  });
});
