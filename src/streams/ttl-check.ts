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
import type { Config } from '../config/parse.js';
import type { TimingsOf } from '../patroni/leader-lease.js';
import type { PolledCache } from './polling.js';
import { type ConfigAsking, dynamicConfigs } from './patroni-timings.js';
import {
  ASSUMED_TIMINGS,
  type KnownConfigs,
  type PatroniTimings,
  configIn,
  isStandbyCluster,
  knownTimings,
  versionIn,
  withConfig,
} from '../patroni/timings-in-force.js';
import { safeTtlMs } from '../patroni/timings.js';
import type { CanonicalRoute } from '../patroni/types.js';
import { ttlWarning, unknownTimingsWarning } from './ttl-warning.js';

const EVERY_MS = 60_000;

/** A Patroni that answers polls for so long, and has not said its timings, is worth a warning. */
const OVERDUE_MS = 60_000;
const CONFIG = '/config' as CanonicalRoute;

/** What Patroni says of itself besides its answers to checks, and `cache.ttl` held against it. */
export interface TtlCheck {
  readonly timingsOf: TimingsOf;
  /** The largest safe `cache.ttl`, in milliseconds; `undefined` while Patroni has not said. */
  safeTtlMs(): number | undefined;
  /** Whether no node of the cluster is to be a primary; `undefined` while Patroni has not said. */
  standbyCluster(): boolean | undefined;
  /** What is wrong now, in a sentence. */
  warning(): string | undefined;
  /**
   * Emits what is wrong, or that nothing is, as it changes. The subscription asks Patroni: at once, then while its polls are
   * answered, after each reload and every minute; sooner while it is not known.
   */
  readonly warning$: Observable<string | undefined>;
}

/** Checks the `cache.ttl` of whatever configuration is in force. Where `/config` is polled, it is not asked for besides. */
export function createTtlCheck(
  config$: BehaviorSubject<Config>,
  { cache, request, answered$ }: Pick<PolledCache, 'cache' | 'request' | 'answered$'>,
  scheduler: SchedulerLike,
): TtlCheck {
  let known: KnownConfigs = [];
  let version: string | undefined;
  const reloaded$ = config$.pipe(skip(1));
  const asking: ConfigAsking = {
    answered$,
    again$: reloaded$,
    retryMs: () => config$.getValue().cache.intervalMs / 2, // over by the next round of polls
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
  const told$ = merge(
    merge(asked$, polled$).pipe(
      tap((config) => {
        known = withConfig(known, config, version);
      }),
    ),
    version$.pipe(
      tap((said) => {
        version = said;
      }),
    ),
  );
  /** By the version, too: until both are known, nothing is said of them. */
  const timings = (): PatroniTimings | undefined => (version === undefined ? undefined : knownTimings(known, version));
  let isOverdue = false;
  const overdue$ = answered$.pipe(
    take(1),
    switchMap(() => timer(OVERDUE_MS, scheduler)),
    tap(() => {
      isOverdue = true;
    }),
  );
  const warning = (): string | undefined => {
    const inForce = timings();
    const { cache: guardedCache } = config$.getValue();
    if (inForce === undefined) return isOverdue ? unknownTimingsWarning(guardedCache) : undefined;
    return ttlWarning(guardedCache, inForce);
  };
  return {
    timingsOf: (ofVersion) => knownTimings(known, ofVersion) ?? ASSUMED_TIMINGS,
    safeTtlMs() {
      const inForce = timings();
      return inForce && safeTtlMs(inForce);
    },
    standbyCluster: () => known[0] && isStandbyCluster(known[0]),
    warning,
    warning$: config$.pipe(
      map(({ backend }) => `${backend.host}:${backend.port}`),
      distinctUntilChanged(),
      tap(() => {
        [known, version, isOverdue] = [[], undefined, false]; // what the former upstream said is of no use
      }),
      switchMap(() => merge(told$, reloaded$, overdue$).pipe(startWith(undefined))),
      map(warning),
      distinctUntilChanged(),
    ),
  };
}
