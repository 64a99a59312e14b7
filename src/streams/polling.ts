import { isDeepStrictEqual } from 'node:util';
import {
  BehaviorSubject,
  EMPTY,
  type Observable,
  type SchedulerLike,
  Subject,
  defer,
  delay,
  filter,
  identity,
  map,
  merge,
  share,
  switchMap,
  tap,
} from 'rxjs';
import { authority } from '../network/authority.js';
import type { Validity } from '../certificates/validity.js';
import type { Config } from '../config/parse.js';
import { type TimingsOf, guarded } from '../patroni/leader-lease.js';
import { canonicalRoute, isSlow } from '../patroni/routes.js';
import { bursts } from './refresh-bursts.js';
import { type Cache, type RoutePlan, createCache } from './cache.js';
import { classifyFailure } from '../upstream/failure.js';
import { type Polling, follow } from './snapshots.js';
import { type Freeze, type FreezeChange, createFreeze } from './freeze.js';
import { type Heartbeat, createJudge, missedPolls } from './heartbeat.js';
import { createPhases } from './poll-phases.js';
import { poll } from './poll.js';
import type { OnAddresses } from '../upstream/addresses.js';
import { type Upstream, createRequest } from '../upstream/request.js';
import { slowGate } from './slow-gate.js';
import type { Answer, PollOutcome, Snapshot, CanonicalRoute } from '../patroni/types.js';

/** Connecting is given up a little before the next tick, so that the tick finds no poll in flight and asks anew. */
const CONNECT_SHARE = 0.9;

/** No less than this for connecting, however short the interval. */
const LEAST_CONNECT_MS = 100;

/** A learned route that nobody asked for in this time is forgotten: a Nagios check comes every five minutes. */
const FORGET_AFTER_MS = 15 * 60_000;

/** Learned routes begin a burst within this time, each in its turn: many polls at once would hold up the event loop. */
const SPREAD_MS = 40;

/** A cache that is polled as the configuration says. */
export interface PolledCache {
  readonly cache: Cache;
  /** Each poll that was answered, as it ends. */
  readonly answered$: Observable<PolledAnswer>;
  /**
   * Asks the upstream once, whatever is known: a cold observable, as those of {@link createRequest}. In a freeze it asks
   * nothing, and completes.
   */
  readonly request: (route: CanonicalRoute) => Observable<Answer>;
  /** Beginning and end of each freeze of the upstream. Subscribe once: the subscription keeps the sentinel waiting. */
  readonly freeze$: Observable<FreezeChange>;
  /** Since when the upstream is frozen, by the scheduler's clock; `undefined` where it is not. */
  readonly frozenSinceMs: () => number | undefined;
  /** What is wrong with the addresses of the upstream's name, by the latest look-up, in a sentence. */
  readonly addressWarning: () => string | undefined;
  /** Polls by another configuration from now on. What stays as it was is not touched. */
  readonly reconfigure: (config: Config) => void;
}

/** What Patroni said to a poll. */
export interface PolledAnswer {
  readonly route: CanonicalRoute;
  readonly answer: Answer;
}

/** Told of each poll as it ends. */
type OnOutcome = (route: CanonicalRoute, outcome: PollOutcome) => void;

/** What polling needs from outside. */
export interface PollingParts {
  readonly scheduler: SchedulerLike;
  readonly onOutcome: OnOutcome;
  readonly timingsOf: TimingsOf;
  /** Told of Patroni's certificate with each poll over HTTPS. */
  readonly onCertificate?: (validity: Validity) => void;
  readonly wallMs: () => number;
  /** Patroni may have changed: it is asked at once, and again, in a burst. */
  readonly refresh$: Observable<unknown>;
  /** After a standstill that was long enough to miss polls each route is asked at once, and its failed polls are not Patroni's. */
  readonly heartbeat: Heartbeat;
  /** Told when the addresses of the upstream's name are not those of one host: see {@link PolledCache.addressWarning}. */
  readonly onAddressWarning?: (warning: string) => void;
  /** From 0 to 1, as `Math.random`. */
  readonly random: () => number;
}

/** The cache of a configuration. */
export function createPolledCache(config: Config, parts: PollingParts): PolledCache {
  const { scheduler } = parts;
  const phaseOf = createPhases();
  let settings = settingsOf(config);
  let addressWarning: string | undefined;
  /** Of one upstream: a look-up of a former one's name may still be under way. */
  const addressesOf = (asked: PollSettings): OnAddresses => {
    return (warning) => {
      if (asked !== settings) return;
      const isNews = warning !== undefined && warning !== addressWarning;
      addressWarning = warning;
      if (isNews) parts.onAddressWarning?.(warning);
    };
  };
  const upstream$ = new BehaviorSubject(createUpstream(settings, parts, addressesOf(settings)));
  const { prefetched, maxLearned } = planOf(config);
  const burst$ = bursts(parts.refresh$, scheduler).pipe(share()); // one for all routes
  const answered$ = new Subject<PolledAnswer>();
  const forgotten$ = new Subject<FreezeChange>();
  const onOutcome: OnOutcome = (route, outcome) => {
    parts.onOutcome(route, outcome);
    if (outcome.kind === 'answered') answered$.next({ route, answer: outcome.answer });
  };
  const snapshots = (route: CanonicalRoute): Observable<Snapshot> => {
    const spreadMs = prefetched.includes(route) ? 0 : phaseOf(SPREAD_MS);
    const ofBursts$ = burst$.pipe(filter((step) => step === 0 || !isSlow(route)));
    const polling$ = upstream$.pipe(
      map((upstream) => {
        const { intervalMs, slowIntervalMs } = upstream.settings.times;
        const missed$ = missedPolls(parts.heartbeat, isSlow(route) ? slowIntervalMs : intervalMs);
        const refresh$ = merge(ofBursts$, upstream.freeze.thaw$, missed$).pipe(
          spreadMs === 0 ? identity : delay(spreadMs, scheduler),
        );
        return pollingOf(route, upstream, phaseOf, { ...parts, onOutcome, refresh$ });
      }),
    );
    return follow(polling$, scheduler);
  };
  const cache = createCache(prefetched, { snapshots, maxLearned, forgetAfterMs: FORGET_AFTER_MS, scheduler });
  return {
    cache,
    answered$,
    request: (route) =>
      defer(() => {
        const { freeze, request } = upstream$.getValue();
        return freeze.isFrozen() ? EMPTY : request(route);
      }),
    // switchMap: the former upstream is left alone
    freeze$: merge(upstream$.pipe(switchMap(({ freeze }) => freeze.change$)), forgotten$),
    frozenSinceMs: () => upstream$.getValue().freeze.sinceMs(),
    addressWarning: () => addressWarning,
    reconfigure(next) {
      const nextSettings = settingsOf(next);
      if (!isDeepStrictEqual(nextSettings, settings)) {
        addressWarning = undefined;
        settings = nextSettings;
        const frozenSinceMs = upstream$.getValue().freeze.sinceMs();
        if (frozenSinceMs !== undefined)
          forgotten$.next({ kind: 'forgotten', lastedMs: scheduler.now() - frozenSinceMs });
        upstream$.next(createUpstream(settings, parts, addressesOf(settings)));
      }
      cache.change(planOf(next));
    },
  };
}

/** Patroni as it is asked: all that the configuration says but for which routes. */
interface PolledUpstream {
  readonly settings: PollSettings;
  readonly request: (route: CanonicalRoute) => Observable<Answer>;
  readonly freeze: Freeze;
}

interface PollSettings {
  readonly backend: Omit<Config['backend'], 'routes'>;
  readonly times: Omit<Config['cache'], 'learn'>;
}

function settingsOf({ backend, cache }: Config): PollSettings {
  const { host, port, scheme, tls, timeoutMs } = backend;
  const { ttlMs, intervalMs, slowTtlMs, slowIntervalMs, leaseGuard } = cache;
  return {
    backend: { host, port, scheme, tls, timeoutMs },
    times: { ttlMs, intervalMs, slowTtlMs, slowIntervalMs, leaseGuard },
  };
}

function planOf(config: Config): RoutePlan {
  const prefetched = prefetchedOf(config)
    .map(canonicalRoute)
    .filter((route) => route !== undefined);
  return { prefetched, maxLearned: config.cache.learn };
}

/** The routes that are polled from the start, as written. An agent's word counts at once, so what it is asked is among them. */
export function prefetchedOf({ backend: { routes }, agent }: Config): readonly string[] {
  if (agent.port === undefined) return routes;
  const asked = canonicalRoute(agent.route);
  return routes.some((route) => canonicalRoute(route) === asked) ? routes : [...routes, agent.route];
}

function createUpstream(
  settings: PollSettings,
  { scheduler, random, onCertificate }: Pick<PollingParts, 'scheduler' | 'random' | 'onCertificate'>,
  onAddresses: OnAddresses,
): PolledUpstream {
  const { intervalMs } = settings.times;
  return {
    settings,
    request: requestBy(settings, { onCertificate, onAddresses }),
    freeze: createFreeze({ intervalMs, scheduler, random }),
  };
}

/** Connecting is given up before the deadline of the poll: what was never connected cost the upstream nothing. */
function requestBy(
  { backend, times }: PollSettings,
  told: Pick<Upstream, 'onCertificate' | 'onAddresses'> = {},
): PolledUpstream['request'] {
  const { timeoutMs } = backend;
  const connectMs = Math.min(timeoutMs * CONNECT_SHARE, Math.max(times.intervalMs * CONNECT_SHARE, LEAST_CONNECT_MS));
  return createRequest({ ...backend, ...told, connectMs });
}

function pollingOf(
  route: CanonicalRoute,
  { settings: { backend, times }, request, freeze }: PolledUpstream,
  phaseOf: ReturnType<typeof createPhases>,
  { scheduler, onOutcome, timingsOf, wallMs, refresh$, heartbeat }: PollingParts,
): Polling {
  const slow = isSlow(route);
  const intervalMs = slow ? times.slowIntervalMs : times.intervalMs;
  const guard = (outcome: PollOutcome): PollOutcome => {
    return times.leaseGuard
      ? guarded(route, outcome, timingsOf, isOwnHost(backend.host) ? wallMs : undefined)
      : outcome;
  };
  const asked$ = request(route);
  const gate = freeze.gate(asked$, slow);
  const outcome$ = poll(asked$, {
    intervalMs,
    phaseMs: phaseOf(intervalMs),
    refresh$,
    gate: slow ? slowGate(gate, freeze, scheduler) : gate,
    counts: createJudge(heartbeat),
    deadlineMs: backend.timeoutMs,
    scheduler,
    classify: classifyFailure,
  }).pipe(
    map(guard),
    tap((outcome) => {
      onOutcome(route, outcome);
    }),
  );
  return {
    upstream: authority(backend.host, backend.port),
    outcome$,
    ttlMs: slow ? times.slowTtlMs : times.ttlMs,
  };
}

/** Loopback: whoever is there has this host's clock. */
function isOwnHost(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

/** Requests to Patroni as the configuration says it is asked. */
export function requestOf(config: Config, onAddresses?: OnAddresses): PolledCache['request'] {
  return requestBy(settingsOf(config), { onAddresses });
}

/** Where Patroni is, for people: `http://localhost:8008`. */
export function upstreamOf({ backend: { scheme, host, port } }: Config): string {
  return `${scheme}://${authority(host, port)}`;
}

/** How long answers of a route are fresh, in milliseconds. */
export function ttlMsOf({ cache }: Pick<Config, 'cache'>, route: CanonicalRoute): number {
  return isSlow(route) ? cache.slowTtlMs : cache.ttlMs;
}
