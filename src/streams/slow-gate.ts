import type { SchedulerLike } from 'rxjs';
import type { Freeze, Gate } from './freeze.js';

/**
 * The pause after a poll that was given up: at least as long as Patroni may hold the worker that serves it (`retry_timeout`,
 * 10 s by default), and twice as long after each further one, to a minute.
 */
const PAUSES_MS = { first: 10_000, longest: 60_000 } as const;

/** A poll begins a little after its tick: the tick at the end of a pause must not find it a millisecond short. */
const MARGIN_MS = 100;

/**
 * The gate of a slow route. For `GET /cluster` Patroni asks its DCS: in an outage of the DCS each request holds one of
 * Patroni's workers for up to `retry_timeout`, and one that is given up and made anew holds a second. So after a poll that
 * was given up, the next one begins later, and later still after each further one. An answer ends that. A thaw ends the first
 * pause, and shortens a later one to the length of the first: what thaws again and again is slow, and no longer frozen.
 *
 * @param gate the gate of the freeze, which holds as well
 */
export function slowGate(gate: Gate, freeze: Pick<Freeze, 'thawedAtMs'>, scheduler: SchedulerLike): Gate {
  let pauseMs = 0;
  let [sentAtMs, endedAtMs] = [-Infinity, -Infinity];
  const pauseInForceMs = (): number => {
    if (freeze.thawedAtMs() <= endedAtMs) return pauseMs;
    return pauseMs <= PAUSES_MS.first ? 0 : PAUSES_MS.first;
  };
  return {
    mayPoll: () => gate.mayPoll() && scheduler.now() >= sentAtMs + pauseInForceMs() - MARGIN_MS,
    saw(outcome) {
      gate.saw(outcome);
      const wasGivenUp = outcome.kind === 'failed' && outcome.givenUp === true;
      pauseMs = wasGivenUp ? Math.min(PAUSES_MS.longest, Math.max(PAUSES_MS.first, 2 * pauseMs)) : 0;
      ({ sentAtMs, endedAtMs } = outcome);
    },
  };
}
