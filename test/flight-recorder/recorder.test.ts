import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EMPTY, NEVER, map, of, throwError } from 'rxjs';
import { createFlightRecorder } from '../../src/flight-recorder/recorder.js';
import type { HostSample, Recording } from '../../src/flight-recorder/types.js';
import type { CanonicalRoute, PollOutcome } from '../../src/patroni/types.js';
import { answer, refused, runMarbles } from '../support/time/marbles.js';

const LEARNED = '/replica?lag=1' as CanonicalRoute;
const ROUTES: Readonly<Record<string, CanonicalRoute>> = {
  p: '/primary' as CanonicalRoute,
  r: '/replica' as CanonicalRoute,
  l: LEARNED,
};

const SAMPLE: HostSample = { patroni: { kind: 'listens', acceptQueue: 3 } };

/** Small letters are answered polls of a route, capitals failed ones. `expected` has the look of each recording. */
function record(
  outcomes: string,
  expected: string,
  { look$ = of<HostSample>(SAMPLE), laggedMs = 0 } = {},
): readonly Recording[] {
  const recordings: Recording[] = [];
  runMarbles(({ cold, expectObservable }, scheduler) => {
    const outcome$ = cold(outcomes).pipe(
      map((letter) => {
        const route = ROUTES[letter.toLowerCase()] ?? LEARNED;
        const times = { sentAtMs: scheduler.now(), endedAtMs: scheduler.now() };
        const outcome: PollOutcome =
          letter === letter.toLowerCase()
            ? { kind: 'answered', answer: answer(200), ...times }
            : { kind: 'failed', failure: refused('gone'), ...times };
        return { route, outcome };
      }),
    );
    const recorder = createFlightRecorder({
      outcome$,
      look$,
      scheduler,
      isPrefetched: (route) => route !== LEARNED,
      witness: { read$: NEVER, state: () => undefined },
      wallMs: () => 0,
    });
    recorder.lagged(laggedMs);
    const look = (recording: Recording): string => {
      recordings.push(recording);
      assert.equal(recorder.latest(), recording);
      return String(recording.look);
    };
    expectObservable(recorder.recording$.pipe(map(look)), '3m !').toBe(expected);
  });
  return recordings;
}

describe('the flight recorder', () => {
  it('records at the first failed poll after an answer, and not at the others', () => {
    record('p 999ms p 999ms P 999ms P 999ms P 999ms p', '2s 1');
  });

  it('records nothing before the first answer: the service may have started during a freeze', () => {
    record('P 999ms P 999ms p', '');
  });

  it('records only for routes that are polled from the start', () => {
    record('l 999ms L', '');
    record('l 999ms L 999ms p 999ms P 999ms p', '3s 1');
  });

  it('looks again after ten seconds if the route is still not answered', () => {
    record('p 999ms P', '1s 1 9999ms 2');
    record('p 999ms P 5s p', '1s 1');
  });

  it('records at most once a minute, whatever flaps', () => {
    record('p 999ms P 999ms p 999ms P 999ms p 60s P 999ms p', '1s 1 63s 1');
    record('p 999ms P 999ms r 999ms R 999ms p', '1s 1');
  });

  it('has the polls of the last minute by route, and what the host said before', () => {
    const [recording] = record('p 999ms r 29s p 39s p 999ms P 999ms p', '70002ms 1');
    assert.deepEqual(
      recording?.polls.map(({ route, answered, failed, failure }) => [route, answered, failed, failure]),
      [['/primary', 2, 1, 'connection refused (gone)']],
    );
    assert.deepEqual(
      recording.patroni.map(({ agoMs, acceptQueue }) => [agoMs, acceptQueue]),
      [50_002, 40_002, 30_002, 20_002, 10_002, 2, 0].map((agoMs) => [agoMs, 3]),
    );
    assert.deepEqual([recording.route, recording.process], ['/primary', 'not permitted']);
  });

  it('waits one second at most for the host, and not at all if an earlier look still waits', () => {
    const [late] = record('p 999ms P 999ms p', '2s 1', { look$: NEVER });
    assert.deepEqual(late?.patroni.at(-1), { agoMs: 0, unknown: 'late' });
    const [none] = record('p 999ms P 999ms p', '1s 1', { look$: EMPTY });
    assert.equal(none?.patroni.at(-1)?.unknown, 'late');
    const broken = throwError(() => new Error('no free file'));
    const [failed] = record('p 999ms P 999ms p', '1s 1', { look$: broken });
    assert.equal(failed?.patroni.at(-1)?.unknown, 'late');
  });

  it('has the longest delay of the own event loop', () => {
    const [recording] = record('p 999ms P 999ms p', '1s 1', { laggedMs: 7 });
    assert.deepEqual(recording?.lag, { longestMs: 7, lastMs: 7 });
  });

  it('stays small, however many polls there are', () => {
    const [recording] = record(`${'pr 10ms '.repeat(250)}P 999ms p`, '3s 1');
    assert.ok(JSON.stringify(recording).length < 4000, JSON.stringify(recording));
  });
});
