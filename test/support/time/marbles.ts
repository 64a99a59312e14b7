import assert from 'node:assert/strict';
import { TestScheduler } from 'rxjs/testing';
import type { Answer, PollFailure } from '../../../src/patroni/types.js';

type RunHelpers = Parameters<Parameters<TestScheduler['run']>[0]>[0];

/** Runs marbles in virtual time; the scheduler is passed on to what is tested, as timer and clock. */
export function runMarbles(body: (helpers: RunHelpers, scheduler: TestScheduler) => void): void {
  const scheduler = new TestScheduler((actual, expected) => {
    assert.deepStrictEqual(actual, expected);
  });
  scheduler.run((helpers) => {
    body(helpers, scheduler);
  });
}

/** An answer with nothing but a status worth speaking of. */
export function answer(status: number): Answer {
  return { status, contentType: 'application/json', body: Buffer.from('{}') };
}

/** A failure whose message is whatever the request threw. */
export function refused(cause: unknown): PollFailure {
  return { reason: 'refused', message: String(cause) };
}
