import {
  type Observable,
  type SchedulerLike,
  concatMap,
  defer,
  filter,
  finalize,
  map,
  repeat,
  share,
  tap,
  timer,
} from 'rxjs';
import type { PollOutcome } from '../patroni/types.js';

/** The time from beat to beat, in milliseconds. */
const BEAT_MS = 100;

/** If two beats are further apart than this, there was a standstill. Shorter delays come from a busy machine. */
const MOST_APART_MS = 2 * BEAT_MS;

/** The newest standstills that are remembered. No caller asks further back than a time to live. */
const REMEMBERED = 64;

/**
 * A time in which this process did nothing: it was stopped, its machine was suspended, or its event loop was blocked. Measured
 * from the last beat before it to the first beat after it, in milliseconds of the scheduler's clock.
 */
export interface Standstill {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Notices the times in which this process stood still. */
export interface Heartbeat {
  /**
   * Each standstill after its end, when the sockets have been read. Never errors, never completes. The heart beats only while
   * this is subscribed.
   */
  readonly standstill$: Observable<Standstill>;
  /** How long this process stood still between two moments, in milliseconds. Includes a standstill before the next beat. */
  readonly stoodStillMs: (fromMs: number, toMs: number) => number;
}

/**
 * A timer that notices when it fires late. The scheduler is timer and clock at once: production's clock counts suspended
 * time, although timers stop then.
 */
export function createHeartbeat(scheduler: SchedulerLike): Heartbeat {
  const remembered: Standstill[] = [];
  let lastBeatMs: number | undefined; // while it beats
  const since = (toMs: number): Standstill => ({ fromMs: lastBeatMs ?? toMs, toMs });
  const beat$ = defer(() => {
    lastBeatMs = scheduler.now();
    return timer(BEAT_MS, scheduler).pipe(
      repeat(),
      map(() => {
        const beat = since(scheduler.now());
        lastBeatMs = beat.toMs;
        return beat;
      }),
      finalize(() => (lastBeatMs = undefined)),
    );
  });
  return {
    standstill$: beat$.pipe(
      filter(isStandstill),
      tap((standstill) => {
        remembered.push(standstill);
        if (remembered.length > REMEMBERED) remembered.shift();
      }),
      // Wait two turns of the event loop: in the first one, it reads the sockets; before the second one, late deadlines end.
      concatMap((standstill) =>
        timer(0, scheduler).pipe(
          concatMap(() => timer(0, scheduler)),
          map(() => standstill),
        ),
      ),
      share(),
    ),
    stoodStillMs(fromMs, toMs) {
      const current = since(toMs);
      const standstills = isStandstill(current) ? [...remembered, current] : remembered;
      return standstills.reduce((sum, standstill) => sum + overlapMs(standstill, { fromMs, toMs }), 0);
    },
  };
}

/** True if this process stood still for more than half of the time between two moments: then Patroni is not to blame. */
export function wasMostlyStill(
  { stoodStillMs }: Pick<Heartbeat, 'stoodStillMs'>,
  fromMs: number,
  toMs: number,
): boolean {
  return stoodStillMs(fromMs, toMs) * 2 > toMs - fromMs;
}

/**
 * Decides for each outcome of a route whether it counts. A poll does not count if it failed while this process mostly stood
 * still: Patroni did not have enough time, and a reader of the log would blame Patroni. One standstill causes one such
 * failure. A second one directly after it counts: on a host without enough CPU time, every poll may fail like this while
 * Patroni is frozen as well.
 */
export function createOutcomeFilter(heartbeat: Pick<Heartbeat, 'stoodStillMs'>): (outcome: PollOutcome) => boolean {
  let wasIgnored = false;
  return ({ kind, sentAtMs, endedAtMs }) => {
    const isOwnFailure = kind === 'failed' && wasMostlyStill(heartbeat, sentAtMs, endedAtMs);
    const counts = !isOwnFailure || wasIgnored;
    wasIgnored = isOwnFailure;
    return counts;
  };
}

/** Standstills that are long enough to miss a poll. */
export function missedPolls(
  { standstill$ }: Pick<Heartbeat, 'standstill$'>,
  intervalMs: number,
): Observable<Standstill> {
  return standstill$.pipe(filter(({ fromMs, toMs }) => toMs - fromMs > intervalMs / 2));
}

function isStandstill({ fromMs, toMs }: Standstill): boolean {
  return toMs - fromMs > MOST_APART_MS;
}

function overlapMs(one: Standstill, other: Standstill): number {
  return Math.max(0, Math.min(one.toMs, other.toMs) - Math.max(one.fromMs, other.fromMs));
}
