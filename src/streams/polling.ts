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
import type { Facts } from '../witness/types.js';
import { type Cache, createCache } from './cache.js';
import type { FreezeChange } from './freeze.js';
import { type Heartbeat, createOutcomeFilter, missedPolls } from './heartbeat.js';
import { createPollPhases } from './poll-phases.js';
import { type PollSettings, paceOf, planOf, settingsOf } from './poll-settings.js';
import { poll } from './poll.js';
import { type PolledUpstream, createPolledUpstream } from './polled-upstream.js';
import { refreshBursts } from './refresh-bursts.js';
import { slowGate } from './slow-gate.js';
import { type RoutePolling, snapshotsOf } from './snapshots.js';
import { withWitness } from './witnessed.js';

/** A learned route is forgotten if no client has asked for it in this time. A Nagios check comes every five minutes. */
const FORGET_AFTER_MS = 15 * 60_000;

/** Learned routes begin a burst within this time, one after the other: many polls at once would delay the event loop. */
const SPREAD_MS = 40;

/** Polls Patroni, and keeps its answers in the cache. */
export interface Polling {
  /** The subscription of its routes runs the polls. */
  readonly cache: Cache;
  /** The outcome of each poll. */
  readonly outcome$: Observable<PolledOutcome>;
  /** The answer of each poll that was answered. */
  readonly answered$: Observable<PolledAnswer>;
  /** The dates of Patroni's certificate, with each poll over HTTPS. */
  readonly certificate$: Observable<Validity>;
  /** A new warning that the upstream's name may stand for several hosts. */
  readonly addressWarning$: Observable<string>;
  /** The warning of the latest look-up. */
  readonly addressWarning: () => string | undefined;
  /**
   * Asks the upstream once, without the cache: a cold observable as those of {@link createRequest}. During a freeze it asks
   * nothing and completes.
   */
  readonly request: RequestPatroni;
  /** Beginning and end of each freeze of the upstream. Subscribe once: the subscription keeps the sentinel waiting. */
  readonly freeze$: Observable<FreezeChange>;
  /** Since when the upstream is frozen, by the scheduler's clock; `undefined` if it is not frozen. */
  readonly frozenSinceMs: () => number | undefined;
  /** Polls by another configuration from now on. Polls whose settings stay the same are not interrupted. */
  readonly reconfigure: (config: Config) => void;
}

/** The end of a poll, and its route. */
export interface PolledOutcome {
  readonly route: CanonicalRoute;
  readonly outcome: PollOutcome;
}

/** Patroni's answer to a poll, and its route. */
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
  /** Patroni may have changed: each emission begins a burst of polls. */
  readonly refresh$: Observable<unknown>;
  /** After a standstill that missed polls, each route is polled at once. A poll that failed because of it does not count. */
  readonly heartbeat: Heartbeat;
  /** From 0 to 1, as `Math.random`. */
  readonly random: () => number;
  /** What the witness reads while it is subscribed: see {@link withWitness}. */
  readonly facts$: Observable<Facts>;
}

/** Polls Patroni as a configuration says, while the cache's routes are subscribed. */
export function createPolling(config: Config, parts: PollingParts): Polling {
  const { scheduler, heartbeat } = parts;
  const phaseOf = createPollPhases();
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
        if (asked !== settings) return; // a look-up for a former upstream, which ends only now
        const isNews = warning !== undefined && warning !== addressWarning;
        addressWarning = warning;
        if (isNews) addressWarning$.next(warning);
      },
    });
  const upstream$ = new BehaviorSubject(upstreamOf(settings));
  let plan = planOf(config);
  const burst$ = refreshBursts(parts.refresh$, scheduler).pipe(share()); // the same burst for all routes
  const snapshots = (route: CanonicalRoute): Observable<Snapshot> => {
    const spreadMs = plan.prefetched.includes(route) ? 0 : phaseOf(SPREAD_MS);
    const ofBursts$ = burst$.pipe(filter((step) => step === 0 || !isSlow(route)));
    const polling$ = upstream$.pipe(
      map((upstream) => {
        const missed$ = missedPolls(heartbeat, paceOf(upstream.settings.times, route).intervalMs);
        const refresh$ = merge(ofBursts$, upstream.freeze.thaw$, missed$).pipe(
          spreadMs === 0 ? identity : delay(spreadMs, scheduler),
        );
        return pollingOf(route, upstream, phaseOf, {
          ...parts,
          refresh$,
          onOutcome(outcome) {
            outcome$.next({ route, outcome });
          },
        });
      }),
    );
    return snapshotsOf(polling$, scheduler);
  };
  const cache = createCache(plan.prefetched, {
    snapshots,
    maxLearned: plan.maxLearned,
    forgetAfterMs: FORGET_AFTER_MS,
    scheduler,
  });
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
    // switchMap: closes the sentinel of the former upstream
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
      plan = planOf(next);
      cache.change(plan);
    },
  };
}

/** How one route is polled at one upstream. */
function pollingOf(
  route: CanonicalRoute,
  { settings: { backend, times }, request, freeze }: PolledUpstream,
  phaseOf: ReturnType<typeof createPollPhases>,
  parts: PollingParts & { readonly onOutcome: (outcome: PollOutcome) => void },
): RoutePolling {
  const { scheduler, timingsOf, wallMs, refresh$, heartbeat, facts$, onOutcome } = parts;
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
    counts: createOutcomeFilter(heartbeat),
    deadlineMs: backend.timeoutMs,
    scheduler,
    classify: classifyFailure,
  }).pipe(map(guard), tap(onOutcome));
  const event$ = withWitness(outcome$, { route, facts$, wallMs, intervalMs, ttlMs, scheduler });
  return { upstream: authority(backend.host, backend.port), event$, ttlMs };
}
