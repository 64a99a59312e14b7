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
import type { ThisHost } from '../witness/agreement.js';
import type { Facts, WitnessRead, WitnessState } from '../witness/types.js';
import { createSaidByPatroni } from './patroni-says.js';
import type { PolledAnswer } from './polling.js';
import { type ReadOnce, type WitnessSettings, createReader } from './witness-read.js';
import { createKeptTrust } from './witness-trust.js';
import { createWitnessUpstream, witnessSettingsOf } from './witness-upstream.js';

/** From comparison to comparison, in milliseconds, while Patroni answers. */
const COMPARE_EVERY_MS = 30_000;

/** The pause after a contradiction that a change under way may explain, and after a comparison that was left out. */
const COMPARE_AGAIN_MS = 1000;

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
   * Each change of the state that matters to people: a doubt does not, nor a new reason why etcd cannot be read, unless only
   * people can mend it. Subscribe once: the subscription compares the witness with Patroni, at Patroni's first answer and then
   * every 30 s while Patroni answers. Never errors.
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

/** A witness that is asked, and its reads. */
interface AskedWitness {
  readonly settings: WitnessSettings;
  readonly readOnce: ReadOnce;
}

/** Makes the witness that the configuration in force names. */
export function createWitness(config$: BehaviorSubject<Config>, parts: WitnessParts): Witness {
  const { answered$, scheduler, thisHost, createUpstream = createWitnessUpstream } = parts;
  const said = createSaidByPatroni(scheduler);
  const trust = createKeptTrust(said, thisHost, scheduler);
  const asked$ = new BehaviorSubject<AskedWitness | undefined>(undefined);
  const read$ = new Subject<WitnessRead>();
  const state$ = new BehaviorSubject<WitnessState | undefined>(undefined);

  const setState = (next: WitnessState | undefined): void => {
    if (!isDeepStrictEqual(next, state$.getValue())) state$.next(next);
  };
  const readOnce = (asked: AskedWitness): Observable<WitnessRead> =>
    defer(() => {
      const name = trust.nameIn(asked.settings);
      return name === undefined ? EMPTY : asked.readOnce(name);
    }).pipe(
      tap((read) => {
        setState(read.kind === 'read' ? trust.now() : unreachable(read.failure));
        read$.next(read);
      }),
    );

  const comparisons = (asked: AskedWitness): Observable<unknown> => {
    let pauseMs: number;
    return said.heard$.pipe(
      take(1),
      tap(() => {
        if (trust.nameIn(asked.settings) === undefined) setState({ kind: 'contradicts', message: NAMELESS });
        pauseMs = COMPARE_AGAIN_MS; // if another read is under way, and this one is left out
      }),
      concatMap(() => readOnce(asked)), // concatMap: there is one
      tap((read) => {
        if (read.kind === 'read') {
          trust.compare(asked.settings, read.facts);
          setState(trust.now());
        }
        if (trust.now().kind !== 'doubted') pauseMs = COMPARE_EVERY_MS;
      }),
      repeat({ delay: () => timer(pauseMs, scheduler) }),
    );
  };
  const usableFacts = (asked: AskedWitness): Observable<Facts> =>
    timer(0, asked.settings.intervalMs, scheduler).pipe(
      exhaustMap(() => readOnce(asked)), // exhaustMap: a slow etcd gets no queue of reads
      concatMap((read) =>
        read.kind === 'read' && trust.mayBeUsed(asked.settings, read.facts) ? of(read.facts) : EMPTY,
      ),
    );

  const heard$ = answered$.pipe(
    tap(({ route, answer }) => {
      said.hear(route, answer);
    }),
  );
  const configured$ = config$.pipe(
    map(witnessSettingsOf),
    distinctUntilChanged((before, after) => isDeepStrictEqual(before, after)),
    tap((settings) => {
      trust.forget();
      setState(settings && trust.now());
      asked$.next(settings && { settings, readOnce: createReader(createUpstream(settings, scheduler), scheduler) });
    }),
  );
  const otherBackend$ = config$.pipe(
    map(({ backend }) => authority(backend.host, backend.port)),
    distinctUntilChanged(),
    skip(1),
    tap(() => {
      said.forget();
      trust.forget();
      setState(state$.getValue() && trust.now());
    }),
  );
  // switchMap, twice: a reload ends the reads by the former configuration
  const compared$ = asked$.pipe(switchMap((asked) => (asked ? comparisons(asked) : EMPTY)));
  return {
    facts$: asked$.pipe(
      switchMap((asked) => (asked ? usableFacts(asked) : EMPTY)),
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
      // compared$ before heard$: the first answer begins the first comparison
      merge(compared$, otherBackend$, configured$, heard$).pipe(ignoreElements()),
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
