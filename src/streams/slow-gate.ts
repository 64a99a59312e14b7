import type { SchedulerLike } from 'rxjs';
import type { Freeze, Gate } from './freeze.js';

/**
 * The pause after a poll that was given up. It is as long as Patroni may occupy a worker for this poll (`retry_timeout`, 10 s
 * by default), and doubles after each further such poll, up to a minute.
 */
const PAUSES_MS = { first: 10_000, longest: 60_000 } as const;

/** A poll begins a little after its tick. Without this margin, the tick at the end of a pause could come a millisecond early. */
const MARGIN_MS = 100;

/**
 * The gate of a slow route. For `GET /cluster`, Patroni asks its DCS. In an outage of the DCS, each request occupies one of
 * Patroni's workers for up to `retry_timeout`; if patroniglue gives up a request and sends it again, this occupies a second
 * worker. So after each poll that was given up, the next one begins later. An answer ends these pauses. The end of a freeze
 * ends the first pause, and shortens a later one to the length of the first: a Patroni that seems to freeze again and again
 * is slow, not frozen.
 *
 * @param gate the gate of the freeze; a poll must pass both gates
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
    onOutcome(outcome) {
      gate.onOutcome(outcome);
      const wasGivenUp = outcome.kind === 'failed' && outcome.givenUp === true;
      pauseMs = wasGivenUp ? Math.min(PAUSES_MS.longest, Math.max(PAUSES_MS.first, 2 * pauseMs)) : 0;
      ({ sentAtMs, endedAtMs } = outcome);
    },
  };
}
