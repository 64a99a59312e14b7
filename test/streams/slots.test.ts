import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createSlots } from '../../src/streams/slots.js';

describe('slots', () => {
  it('are apart, however many there are and whenever they are taken', () => {
    for (const count of [3, 19, 1000]) {
      let nowMs = 123.4;
      const untilSlot = createSlots(() => nowMs);
      const moments = Array.from({ length: count }, () => {
        nowMs += 1234.5;
        const delayMs = untilSlot(1000);
        assert.ok(delayMs >= 0 && delayMs < 1000);
        return (nowMs + delayMs) % 1000;
      }).sort((a, b) => a - b);
      const gaps = moments.map((moment, index) => (moments[index + 1] ?? (moments[0] ?? 0) + 1000) - moment);
      assert.ok(Math.min(...gaps) > 1000 / count / 3, `${count}: ${Math.min(...gaps)} ms`);
    }
  });
});
