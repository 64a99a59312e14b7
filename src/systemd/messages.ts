import {
  EMPTY,
  type Observable,
  type SchedulerLike,
  distinctUntilChanged,
  interval,
  map,
  merge,
  observeOn,
  skipUntil,
  share,
  throttleTime,
} from 'rxjs';
import { readiness, type Start } from './readiness.js';
import type { Message } from './types.js';

/** Status lines are no closer together than this, in milliseconds: each one is a child process. */
const STATUS_EVERY_MS = 5000;

/** What happens in the service, as far as systemd wants to know it. */
export interface Happenings<R> extends Start<R> {
  /** Emits when something has changed that `status` may tell. */
  readonly changed$: Observable<unknown>;
  /** What checks get now. */
  readonly status: () => string;
  /** Emits when the configuration is about to be read again. */
  readonly reloading$: Observable<unknown>;
  /** Emits when it was read, and whether it was taken or not. */
  readonly reloaded$: Observable<unknown>;
  /** CLOCK_MONOTONIC, in microseconds. */
  readonly monotonicUs: () => number;
  /** systemd's patience, in milliseconds; absent: it does not watch. */
  readonly watchdogMs?: number | undefined;
  readonly scheduler: SchedulerLike;
}

/** What systemd is told, and when. Never errors. */
export function messages<R>(happenings: Happenings<R>): Observable<Message> {
  const { changed$, status, reloading$, reloaded$, monotonicUs, watchdogMs, scheduler } = happenings;
  const ready$ = readiness(happenings).pipe(share());
  return merge(
    ready$.pipe(map((): Message => ({ state: 'ready' }))),
    merge(ready$, changed$.pipe(skipUntil(ready$)), reloaded$.pipe(skipUntil(ready$))).pipe(
      throttleTime(STATUS_EVERY_MS, scheduler, { leading: true, trailing: true }),
      observeOn(scheduler), // what has changed reaches the cache first
      map(status),
      distinctUntilChanged(),
      map((text): Message => ({ status: text })),
    ),
    // before it is ready, a reload is part of the start
    reloading$.pipe(
      skipUntil(ready$),
      map((): Message => ({ state: { reloadingSinceUs: monotonicUs() } })),
    ),
    reloaded$.pipe(
      skipUntil(ready$),
      map((): Message => ({ state: 'ready' })),
    ),
    // half of systemd's patience: sd_watchdog_enabled(3). A blocked event loop sends nothing
    watchdogMs === undefined
      ? EMPTY
      : interval(watchdogMs / 2, scheduler).pipe(map((): Message => ({ watchdog: true }))),
  );
}
