import { isDeepStrictEqual } from 'node:util';
import {
  BehaviorSubject,
  EMPTY,
  type Observable,
  type SchedulerLike,
  ReplaySubject,
  Subject,
  concatMap,
  defer,
  distinctUntilChanged,
  exhaustMap,
  filter,
  finalize,
  ignoreElements,
  map,
  merge,
  of,
  repeat,
  share,
  skip,
  switchMap,
  take,
  tap,
  timer,
} from 'rxjs';
import type { Config } from '../config/types.js';
import { authority } from '../network/authority.js';
import { describeFailure } from '../patroni/snapshot-text.js';
import type { PollFailure } from '../patroni/types.js';
import { type ThisHost, disagreement } from '../witness/agreement.js';
import { afterComparison, mayBeUsed } from '../witness/trust.js';
import type { Facts, Trust, WitnessRead, WitnessState } from '../witness/types.js';
import { loopWaitMsOf } from '../witness/verdict.js';
import { createSaidByPatroni } from './patroni-says.js';
import type { PolledAnswer } from './polling.js';
import { type WitnessSettings, type WitnessUpstream, readWitness } from './witness-read.js';
import { createWitnessUpstream, witnessSettingsOf } from './witness-upstream.js';

/** From comparison to comparison, in milliseconds, while Patroni answers. */
const COMPARE_EVERY_MS = 30_000;

/** The pause after a contradiction that a change under way may explain, and after a comparison that was left out. */
const COMPARE_AGAIN_MS = 1000;

/** Answers of Patroni that are older than this many intervals are not compared with the keys in the DCS. */
const RECENT_INTERVALS = 2;

/**
 * The pause after etcd has refused access, in milliseconds. Each attempt makes etcd check a password, which costs it some
 * 50 ms of a core, and only a person can correct the password.
 */
const REFUSED_PAUSE_MS = 10_000;

const NAMELESS =
  'Patroni does not say the name of its node (it does from 3.2 on): write the name of patroni.yml as witness.name';

/** The second source: what the DCS and PostgreSQL say about this node while Patroni does not answer. */
export interface Witness {
  /**
   * The facts that may be used. One read in each interval while at least one route is subscribed; all routes share the reads.
   * Empty without a witness, and while the witness must not be used. Never errors.
   */
  readonly facts$: Observable<Facts>;
  /** Each read. */
  readonly read$: Observable<WitnessRead>;
  /** Whether the witness can be used; `undefined` if the configuration names none. */
  readonly state: () => WitnessState | undefined;
  /**
   * Each change of the state that matters to people: no doubts, and of an etcd that stays unreachable no new reason, unless
   * etcd or TLS refuses patroniglue: only people can mend this. Subscribe
   * once: the subscription compares the witness with Patroni, at Patroni's first answer and then every 30 s while Patroni
   * answers. Never errors.
   */
  readonly state$: Observable<WitnessState | undefined>;
}

/** What the witness needs from outside. */
export interface WitnessParts {
  readonly answered$: Observable<PolledAnswer>;
  readonly scheduler: SchedulerLike;
  /** The name and the addresses of this host. */
  readonly thisHost: () => ThisHost;
  /** Replaced in tests. */
  readonly createUpstream?: typeof createWitnessUpstream;
}

/** Makes the witness that the configuration in force names. */
export function createWitness(config$: BehaviorSubject<Config>, parts: WitnessParts): Witness {
  const { answered$, scheduler, thisHost, createUpstream = createWitnessUpstream } = parts;
  const said = createSaidByPatroni(scheduler);
  const upstream$ = new BehaviorSubject<WitnessUpstream | undefined>(undefined);
  const read$ = new Subject<WitnessRead>();
  const state$ = new BehaviorSubject<WitnessState | undefined>(undefined);
  let trust: Trust = { kind: 'not-compared' };
  let isReading = false;
  let pausedUntilMs = -Infinity;

  const setState = (next: WitnessState | undefined): void => {
    if (!isDeepStrictEqual(next, state$.getValue())) state$.next(next);
  };
  const use = (settings: WitnessSettings | undefined): void => {
    trust = { kind: 'not-compared' };
    pausedUntilMs = -Infinity;
    setState(settings && trust);
    upstream$.next(settings && createUpstream(settings, scheduler));
  };
  const nameIn = ({ settings }: WitnessUpstream): string | undefined => settings.witness.name ?? said.identity().name;
  const hostOf = ({ settings: { witness } }: WitnessUpstream): ThisHost => ({
    ...thisHost(),
    ...(witness.postgres && { postgresPort: witness.postgres.port }),
  });

  /** Reads once, but never while another read is under way: each host of etcd gets one request at a time. */
  const readOnce = (upstream: WitnessUpstream): Observable<WitnessRead> =>
    defer(() => {
      const name = nameIn(upstream);
      if (name === undefined || isReading || scheduler.now() < pausedUntilMs) return EMPTY;
      isReading = true;
      return readWitness(upstream, name, scheduler).pipe(
        finalize(() => {
          isReading = false;
        }),
      );
    }).pipe(
      tap((read) => {
        if (read.kind === 'failed' && read.failure.reason === 'refused-access') {
          pausedUntilMs = read.endedAtMs + REFUSED_PAUSE_MS;
        }
        setState(read.kind === 'read' ? trust : unreachable(read.failure));
        read$.next(read);
      }),
    );

  const compare = (upstream: WitnessUpstream, facts: Facts): void => {
    const nowMs = scheduler.now();
    const recent = said.since(facts.askedAtMs - RECENT_INTERVALS * upstream.settings.intervalMs);
    const found = disagreement(facts, recent, hostOf(upstream));
    trust = afterComparison(trust, facts, found, { loopWaitMs: loopWaitMsOf(facts), nowMs });
    setState(trust);
  };
  const comparisons = (upstream: WitnessUpstream): Observable<unknown> => {
    let pauseMs: number;
    return said.heard$.pipe(
      take(1),
      tap(() => {
        if (nameIn(upstream) === undefined) setState({ kind: 'contradicts', message: NAMELESS });
        pauseMs = COMPARE_AGAIN_MS; // if another read is under way, and this one is left out
      }),
      concatMap(() => readOnce(upstream)), // concatMap: there is one
      tap((read) => {
        if (read.kind === 'read') compare(upstream, read.facts);
        if (trust.kind !== 'doubted') pauseMs = COMPARE_EVERY_MS;
      }),
      repeat({ delay: () => timer(pauseMs, scheduler) }),
    );
  };

  const usableFacts = (upstream: WitnessUpstream): Observable<Facts> =>
    timer(0, upstream.settings.intervalMs, scheduler).pipe(
      exhaustMap(() => readOnce(upstream)), // exhaustMap: a slow etcd gets no queue of reads
      concatMap((read) =>
        read.kind === 'read' && mayBeUsed(trust, read.facts, said.identity(), hostOf(upstream))
          ? of(read.facts)
          : EMPTY,
      ),
    );

  const backend$ = config$.pipe(
    map(({ backend }) => authority(backend.host, backend.port)),
    distinctUntilChanged(),
    skip(1),
    tap(() => {
      said.forget();
      trust = { kind: 'not-compared' };
      setState(state$.getValue() && trust);
    }),
  );
  const settings$ = config$.pipe(
    map(witnessSettingsOf),
    distinctUntilChanged((before, after) => isDeepStrictEqual(before, after)),
    tap(use),
  );
  const heard$ = answered$.pipe(
    tap(({ route, answer }) => {
      said.hear(route, answer);
    }),
  );
  // switchMap, twice: a reload ends the reads by the former configuration
  const compared$ = upstream$.pipe(switchMap((upstream) => (upstream ? comparisons(upstream) : EMPTY)));
  return {
    facts$: upstream$.pipe(
      switchMap((upstream) => (upstream ? usableFacts(upstream) : EMPTY)),
      share({ connector: () => new ReplaySubject(1) }), // a route that joins later has the facts at once
    ),
    read$: read$.asObservable(),
    state: () => state$.getValue(),
    state$: merge(
      state$.pipe(
        filter((state) => state?.kind !== 'doubted'),
        distinctUntilChanged(isSameForPeople),
        skip(1), // the state before the subscription
      ),
      merge(compared$, backend$, settings$, heard$).pipe(ignoreElements()),
    ),
  };
}

/** Of an etcd that stays unreachable, people are told once more if only they can mend it. */
function isSameForPeople(before: WitnessState | undefined, after: WitnessState | undefined): boolean {
  if (after?.kind === 'contradicts') return isDeepStrictEqual(before, after);
  return before?.kind === after?.kind && (needsPeople(before) || !needsPeople(after));
}

function needsPeople(state: WitnessState | undefined): boolean {
  return state?.kind === 'unreachable' && (state.reason === 'refused-access' || state.reason === 'tls');
}

function unreachable(failure: PollFailure): WitnessState {
  return { kind: 'unreachable', reason: failure.reason, message: describeFailure(failure) };
}
