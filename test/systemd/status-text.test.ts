import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CanonicalRoute, Snapshot } from '../../src/patroni/types.js';
import { statusText } from '../../src/systemd/status-text.js';
import { answer } from '../support/time/marbles.js';

describe('the line for systemctl status', () => {
  const fresh = (status: number): Snapshot => ({
    kind: 'fresh',
    answer: answer(status),
    sentAtMs: 0,
    freshUntilMs: 4000,
  });
  const text = (routes: Record<string, Snapshot>, nowMs: number): string =>
    statusText(new Map(Object.entries(routes) as unknown as [CanonicalRoute, Snapshot][]), nowMs);

  it('says what checks get, reply by reply', () => {
    const routes = { '/primary': fresh(200), '/replica': fresh(503), '/read-only': fresh(200) };
    assert.equal(text(routes, 1000), '200 for /primary, /read-only; 503 for /replica');
  });

  it('says that a 503 is not of Patroni, by the clock and not by the last event', () => {
    assert.equal(text({ '/primary': fresh(200) }, 4000), '503 (stale) for /primary');
    assert.equal(text({ '/primary': { kind: 'pending', sinceMs: 0 } }, 1), '503 (pending) for /primary');
  });
});
