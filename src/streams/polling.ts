import { isDeepStrictEqual } from 'node:util';
import {
  BehaviorSubject,
  EMPTY,
  type Observable,
  type SchedulerLike,
  Subject,
  concatMap,
  defer,
  delay,
  filter,
  identity,
  map,
  merge,
  of,
  share,
  switchMap,
  tap,
} from 'rxjs';
import type { Validity } from '../certificates/validity.js';
import type { Config } from '../config/types.js';
import { authority } from '../network/authority.js';
import { isLoopback } from '../network/loopback.js';
import { type TimingsOf, withLease } from '../patroni/leader-lease.js';
import { isSlow } from '../patroni/routes.js';
import type { Answer, CanonicalRoute, PollOutcome, Snapshot } from '../patroni/types.js';
import { classifyFailure } from '../upstream/failure.js';
import type { RequestPatroni } from '../upstream/request.js';
import { type Cache, createCache } from './cache.js';
import type { FreezeChange } from './freeze.js';
import { type Heartbeat, createJudge, missedPolls } from './heartbeat.js';
import { createPhases } from './poll-phases.js';
import { type PollSettings, paceOf, planOf, settingsOf } from './poll-settings.js';
import { poll } from './poll.js';
import { type PolledUpstream, createPolledUpstream } from './polled-upstream.js';
import { bursts } from './refresh-bursts.js';
import { slowGate } from './slow-gate.js';
import { type RoutePolling, snapshotsOf } from './snapshots.js';

/** A learned route that nobody asked for in this time is forgotten: a Nagios check comes every five minutes. */
const FORGET_AFTER_MS = 15 * 60_000;

/** Learned routes begin a burst within this time, each in its turn: many polls at once would hold up the event loop. */
const SPREAD_MS = 40;

/** Patroni is polled, and the cache knows what it said. */
export interface Polling {
  /** The subscription of its routes runs the polls. */
  readonly cache: Cache;
  /** Each poll as it ends. */
  readonly outcome$: Observable<PolledOutcome>;
  /** The same of the polls that were answered. */
  readonly answered$: Observable<PolledAnswer>;
  /** Patroni's certificate, with each poll over HTTPS. */
  readonly certificate$: Observable<Validity>;
  /** A warning that the addresses of the upstream's name are not those of one host, when that is news. */
  readonly addressWarning$: Observable<string>;
  /** The same warning by the latest look-up. */
  readonly addressWarning: () => string | undefined;
  /**
   * Asks the upstream once, whatever is known: a cold observable, as those of {@link createRequest}. In a freeze it asks
   * nothing, and completes.
   */
  readonly request: RequestPatroni;
  /** Beginning and end of each freeze of the upstream. Subscribe once: the subscription keeps the sentinel waiting. */
  readonly freeze$: Observable<FreezeChange>;
  /** Since when the upstream is frozen, by the scheduler's clock; `undefined` where it is not. */
  readonly frozenSinceMs: () => number | undefined;
  /** Polls by another configuration from now on. What stays as it was is not touched. */
  readonly reconfigure: (config: Config) => void;
}

/** The end of a poll, and its route. */
export interface PolledOutcome {
  readonly route: CanonicalRoute;
  readonly outcome: PollOutcome;
}

/** What Patroni said to a poll. */
export interface PolledAnswer {
  readonly route: CanonicalRoute;
  readonly answer: Answer;
}

/** What polling needs from outside. */
export interface PollingParts {
  readonly scheduler: SchedulerLike;
  /** Patroni's timings, for the lease guard. */
  readonly timingsOf: TimingsOf;
  readonly wallMs: () => number;
  /** Patroni may have changed: it is asked at once, and again, in a burst. */
  readonly refresh$: Observable<unknown>;
  /** After a standstill that was long enough to miss polls each route is asked at once, and its failed polls are not Patroni's. */
  readonly heartbeat: Heartbeat;
  /** From 0 to 1, as `Math.random`. */
  readonly random: () => number;
}

/** Polls Patroni as a configuration says, while the cache's routes are subscribed. */
export function createPolling(config: Config, parts: PollingParts): Polling {
  const { scheduler, heartbeat } = parts;
  const phaseOf = createPhases();
  const outcome$ = new Subject<PolledOutcome>();
  const certificate$ = new Subject<Validity>();
  const addressWarning$ = new Subject<string>();
  const forgotten$ = new Subject<FreezeChange>();
  let addressWarning: string | undefined;
  let settings = settingsOf(config);
  const upstreamOf = (asked: PollSettings): PolledUpstream =>
    createPolledUpstream(asked, {
      ...parts,
      onCertificate(validity) {
        certificate$.next(validity);
      },
      onAddresses(warning) {
        if (asked !== settings) return; // a look-up of a former upstream's name, which was still under way
        const isNews = warning !== undefined && warning !== addressWarning;
        addressWarning = warning;
        if (isNews) addressWarning$.next(warning);
      },
    });
  const upstream$ = new BehaviorSubject(upstreamOf(settings));
  const { prefetched, maxLearned } = planOf(config);
  const burst$ = bursts(parts.refresh$, scheduler).pipe(share()); // one for all routes
  const snapshots = (route: CanonicalRoute): Observable<Snapshot> => {
    const spreadMs = prefetched.includes(route) ? 0 : phaseOf(SPREAD_MS);
    const ofBursts$ = burst$.pipe(filter((step) => step === 0 || !isSlow(route)));
    const polling$ = upstream$.pipe(
      map((upstream) => {
        const missed$ = missedPolls(heartbeat, paceOf(upstream.settings.times, route).intervalMs);
        const refresh$ = merge(ofBursts$, upstream.freeze.thaw$, missed$).pipe(
          spreadMs === 0 ? identity : delay(spreadMs, scheduler),
        );
        const { outcome$: ofRoute$, ...polling } = pollingOf(route, upstream, phaseOf, { ...parts, refresh$ });
        const told$ = ofRoute$.pipe(
          tap((outcome) => {
            outcome$.next({ route, outcome });
          }),
        );
        return { ...polling, outcome$: told$ };
      }),
    );
    return snapshotsOf(polling$, scheduler);
  };
  const cache = createCache(prefetched, { snapshots, maxLearned, forgetAfterMs: FORGET_AFTER_MS, scheduler });
  return {
    cache,
    outcome$,
    answered$: outcome$.pipe(
      // concatMap: there is one answer, or none
      concatMap(({ route, outcome }) => (outcome.kind === 'answered' ? of({ route, answer: outcome.answer }) : EMPTY)),
    ),
    certificate$,
    addressWarning$,
    addressWarning: () => addressWarning,
    request: (route) =>
      defer(() => {
        const { freeze, request } = upstream$.getValue();
        return freeze.isFrozen() ? EMPTY : request(route);
      }),
    // switchMap: the former upstream is left alone
    freeze$: merge(upstream$.pipe(switchMap(({ freeze }) => freeze.change$)), forgotten$),
    frozenSinceMs: () => upstream$.getValue().freeze.sinceMs(),
    reconfigure(next) {
      const nextSettings = settingsOf(next);
      if (!isDeepStrictEqual(nextSettings, settings)) {
        addressWarning = undefined;
        settings = nextSettings;
        const frozenSinceMs = upstream$.getValue().freeze.sinceMs();
        if (frozenSinceMs !== undefined) {
          forgotten$.next({ kind: 'forgotten', lastedMs: scheduler.now() - frozenSinceMs });
        }
        upstream$.next(upstreamOf(settings));
      }
      cache.change(planOf(next));
    },
  };
}

/** How one route is polled at one upstream. */
function pollingOf(
  route: CanonicalRoute,
  { settings: { backend, times }, request, freeze }: PolledUpstream,
  phaseOf: ReturnType<typeof createPhases>,
  { scheduler, timingsOf, wallMs, refresh$, heartbeat }: PollingParts,
): RoutePolling {
  const slow = isSlow(route);
  const { ttlMs, intervalMs } = paceOf(times, route);
  const clock = isLoopback(backend.host) ? wallMs : undefined; // a Patroni on this host has this host's wall clock
  const guard = (outcome: PollOutcome): PollOutcome =>
    times.leaseGuard ? withLease(route, outcome, timingsOf, clock) : outcome;
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
  }).pipe(map(guard));
  return { upstream: authority(backend.host, backend.port), outcome$, ttlMs };
}
