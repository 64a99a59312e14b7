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

/** From beat to beat, in milliseconds. */
const BEAT_MS = 100;

/** Two beats that are further apart than this had a standstill between them: what is shorter is a busy machine. */
const MOST_APART_MS = 2 * BEAT_MS;

/** So many standstills are remembered, the newest: no question goes back further than a time to live. */
const REMEMBERED = 64;

/**
 * A time in which this process did nothing: it was stopped, its machine was suspended, or its event loop was blocked. On
 * the scheduler's clock, in milliseconds, from the last beat before it to the first after it.
 */
export interface Standstill {
  readonly fromMs: number;
  readonly toMs: number;
}

/** What is known of the times in which this process stood still. */
export interface Heartbeat {
  /**
   * Each standstill at its end, when whatever came in meanwhile has been read. Never errors, never completes. The heart beats
   * while this is subscribed.
   */
  readonly standstill$: Observable<Standstill>;
  /** How much of a time was standstill, in milliseconds. Also at its very end, before it is noticed by a beat. */
  readonly stoodStillMs: (fromMs: number, toMs: number) => number;
}

/**
 * A timer that notices that it fired late. The scheduler is timer and clock at once: production's clock counts the time in
 * which the machine was suspended, although timers stop then.
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
      // Two turns of the event loop: in the first sockets are read, before the second deadlines end what was not answered.
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

/** True where this process did nothing for more than half of a time: what did not happen in it is nobody else's failure. */
export function wasMostlyStill(
  { stoodStillMs }: Pick<Heartbeat, 'stoodStillMs'>,
  fromMs: number,
  toMs: number,
): boolean {
  return stoodStillMs(fromMs, toMs) * 2 > toMs - fromMs;
}

/**
 * Says of each outcome of a route whether it counts. A poll that failed while this process mostly stood still does not: Patroni
 * did not have its time, and whoever read of the failure would take it for Patroni's. A standstill makes one such failure; a
 * further one right after it counts: on a host without CPU time for us all polls may be of that kind, and Patroni frozen.
 */
export function createJudge(heartbeat: Pick<Heartbeat, 'stoodStillMs'>): (outcome: PollOutcome) => boolean {
  let isExcused = false;
  return ({ kind, sentAtMs, endedAtMs }) => {
    const isOwn = kind === 'failed' && wasMostlyStill(heartbeat, sentAtMs, endedAtMs);
    const counts = !isOwn || isExcused;
    isExcused = isOwn;
    return counts;
  };
}

/** Standstills that were long enough to miss a poll. */
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
