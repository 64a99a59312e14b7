import {
  type BehaviorSubject,
  EMPTY,
  type Observable,
  type SchedulerLike,
  defer,
  distinctUntilChanged,
  filter,
  map,
  merge,
  skip,
  startWith,
  switchMap,
  take,
  tap,
  timer,
} from 'rxjs';
import type { Config } from '../config/types.js';
import { configIn, versionIn } from '../patroni/timings-in-force.js';
import { safeTtlMs } from '../patroni/timings.js';
import type { CanonicalRoute } from '../patroni/types.js';
import type { KnownTimings } from './known-timings.js';
import { type ConfigAsking, dynamicConfigs } from './dynamic-configs.js';
import { addressOf, ofEachUpstream } from './each-upstream.js';
import type { Polling } from './polling.js';
import { ttlWarning, unknownTimingsWarning } from './ttl-warning.js';

const EVERY_MS = 60_000;

/** If Patroni answers polls for this time, but has not said its timings, there is a warning. */
const OVERDUE_MS = 60_000;
const CONFIG = '/config' as CanonicalRoute;

/** Compares `cache.ttl` with Patroni's timings. */
export interface TtlCheck {
  /** The largest safe `cache.ttl`, in milliseconds; `undefined` until Patroni has said its timings. */
  safeTtlMs(): number | undefined;
  /** What is wrong now, in a sentence. */
  warning(): string | undefined;
  /**
   * Emits each change of the warning, `undefined` if nothing is wrong. The subscription asks Patroni for its timings, and keeps
   * them: at once, after each reload and every minute, as long as Patroni answers polls; sooner while they are not known.
   */
  readonly warning$: Observable<string | undefined>;
}

/** Checks the `cache.ttl` of the configuration in force. If `/config` is polled anyway, there is no extra request for it. */
export function createTtlCheck(
  config$: BehaviorSubject<Config>,
  timings: KnownTimings,
  { cache, request, answered$ }: Pick<Polling, 'cache' | 'request' | 'answered$'>,
  scheduler: SchedulerLike,
): TtlCheck {
  const reloaded$ = config$.pipe(skip(1));
  const asking: ConfigAsking = {
    answered$,
    again$: reloaded$,
    retryMs: () => config$.getValue().cache.intervalMs / 2, // over before the next polls
    everyMs: EVERY_MS,
    deadlineMs: () => config$.getValue().backend.timeoutMs,
    scheduler,
  };
  const asked$ = dynamicConfigs(
    defer(() => (cache.latest(CONFIG) ? EMPTY : request(CONFIG))),
    asking,
  );
  const polled$ = answered$.pipe(
    filter(({ route }) => route === CONFIG),
    map(({ answer }) => configIn(answer)),
    filter((config) => config !== undefined),
  );
  const version$ = answered$.pipe(
    map(({ answer }) => versionIn(answer)),
    filter((said) => said !== undefined),
    distinctUntilChanged(),
  );
  const learned$ = merge(merge(asked$, polled$).pipe(tap(timings.setConfig)), version$.pipe(tap(timings.setVersion)));
  let isOverdue = false;
  const overdue$ = answered$.pipe(
    take(1),
    switchMap(() => timer(OVERDUE_MS, scheduler)),
    tap(() => {
      isOverdue = true;
    }),
  );
  const warning = (): string | undefined => {
    const inForce = timings.inForce();
    const cacheConfig = config$.getValue().cache;
    if (inForce === undefined) return isOverdue ? unknownTimingsWarning(cacheConfig) : undefined;
    return ttlWarning(cacheConfig, inForce);
  };
  return {
    safeTtlMs() {
      const inForce = timings.inForce();
      return inForce && safeTtlMs(inForce);
    },
    warning,
    warning$: ofEachUpstream(config$, addressOf, () => {
      timings.forget();
      isOverdue = false;
      return merge(learned$, reloaded$, overdue$).pipe(startWith(undefined));
    }).pipe(map(warning), distinctUntilChanged()),
  };
}
