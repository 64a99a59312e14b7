import {
  type BehaviorSubject,
  type Observable,
  type SchedulerLike,
  defer,
  distinctUntilChanged,
  map,
  of,
  skip,
  switchMap,
  tap,
} from 'rxjs';
import type { Config } from './config.js';
import type { PolledCache } from './polled-cache.js';
import type { CanonicalRoute } from './routes.js';
import { readAt } from './snapshot.js';
import { type TimingsOptions, timings } from './streams/timings.js';
import { type PatroniTimings, safeTtlMs, ttlWarning } from './ttl-bound.js';

const EVERY_MS = 60_000;
const CONFIG = '/config' as CanonicalRoute;

/** `cache.ttl` held against what Patroni says of its leader key. */
export interface TtlCheck {
  /** What Patroni has said of its leader key; `undefined` until it has. */
  timings(): PatroniTimings | undefined;
  /** The largest safe `cache.ttl`, in milliseconds; `undefined` while Patroni has not said. */
  safeTtlMs(): number | undefined;
  /** What is wrong now, in a sentence. */
  warning(): string | undefined;
  /** Emits what is wrong, or that nothing is, as it changes. The subscription asks Patroni: at once, on reload, every minute. */
  readonly warning$: Observable<string | undefined>;
}

/** Checks the `cache.ttl` of whatever configuration is in force. Asks nothing that is known from a poll of `/config`. */
export function createTtlCheck(
  config$: BehaviorSubject<Config>,
  { cache, request }: Pick<PolledCache, 'cache' | 'request'>,
  scheduler: SchedulerLike,
): TtlCheck {
  let known: PatroniTimings | undefined;
  const answer$ = defer(() => {
    const polled = cache.latest(CONFIG);
    const snapshot = polled && readAt(polled, scheduler.now());
    return snapshot?.kind === 'fresh' ? of(snapshot.answer) : request(CONFIG);
  });
  const options: TimingsOptions = {
    again$: config$.pipe(skip(1)), // after each reload
    everyMs: EVERY_MS,
    deadlineMs: () => config$.getValue().backend.timeoutMs,
    scheduler,
  };
  const warning = (): string | undefined => known && ttlWarning(config$.getValue().cache, known);
  return {
    timings: () => known,
    safeTtlMs: () => known && safeTtlMs(known),
    warning,
    warning$: config$.pipe(
      map(({ backend }) => `${backend.host}:${backend.port}`),
      distinctUntilChanged(),
      switchMap(() => timings(answer$, options)), // what the former upstream said is of no use
      tap((now) => {
        known = now;
      }),
      map(warning),
      distinctUntilChanged(),
    ),
  };
}
