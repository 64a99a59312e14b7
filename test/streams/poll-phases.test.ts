import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createPollPhases } from '../../src/streams/poll-phases.js';

describe('phases', () => {
  it('are apart from those before, however many there are', () => {
    for (const count of [3, 19, 1000]) {
      const phaseOf = createPollPhases();
      const moments = Array.from({ length: count }, () => phaseOf(1000)).sort((a, b) => a - b);
      assert.ok(moments.every((moment) => moment >= 0 && moment < 1000));
      const gaps = moments.map((moment, index) => (moments[index + 1] ?? (moments[0] ?? 0) + 1000) - moment);
      assert.ok(Math.min(...gaps) > 1000 / count / 3, `${count}: ${Math.min(...gaps)} ms`);
    }
  });
});
