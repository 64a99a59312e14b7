import {
  type Observable,
  type SchedulerLike,
  catchError,
  concat,
  concatMap,
  defaultIfEmpty,
  defer,
  exhaustMap,
  filter,
  ignoreElements,
  map,
  merge,
  of,
  take,
  tap,
  throttleTime,
  timeout,
  timer,
} from 'rxjs';
import { describeFailure } from '../patroni/snapshot-text.js';
import type { Answered, CanonicalRoute, PollOutcome } from '../patroni/types.js';
import type { WitnessRead, WitnessState } from '../witness/types.js';
import { createRecent } from './recent.js';
import { recordingOf } from './recording.js';
import type { HostSample, Recording } from './types.js';

/** What is kept: the last minute. Three routes have 180 polls in it; a burst has more. */
const SPAN_MS = 60_000;
const MAX_POLLS = 600;

/** How often the host is looked at while all is well, and how long a look may take. */
const SAMPLE_EVERY_MS = 10_000;
const LOOK_MS = 1000;

/** After a recording there is none for a minute, but for a second look if Patroni still does not answer. */
const QUIET_MS = 60_000;
const SECOND_LOOK_MS = 10_000;

/** Where the recorder gets its facts. */
export interface RecorderParts {
  /** The end of each poll. */
  readonly outcome$: Observable<{ readonly route: CanonicalRoute; readonly outcome: PollOutcome }>;
  readonly isPrefetched: (route: CanonicalRoute) => boolean;
  readonly witness: { readonly read$: Observable<WitnessRead>; readonly state: () => WitnessState | undefined };
  /** Looks at the host once when subscribed: one sample, or none. An error counts as no sample. */
  readonly look$: Observable<HostSample>;
  readonly scheduler: SchedulerLike;
  readonly wallMs: () => number;
}

/** Keeps the facts of the last minute, and records them when Patroni stops answering: the evidence, before anybody is awake. */
export interface FlightRecorder {
  /** Emits each recording. Subscribe once: the subscription keeps the facts. Never errors, never completes. */
  readonly recording$: Observable<Recording>;
  readonly latest: () => Recording | undefined;
  /** To be told the longest delay of the event loop in each second. */
  readonly lagged: (lagMs: number) => void;
}

/**
 * Makes the recorder. It records at the first failed poll of a prefetched route after an answer to it, and ten seconds later if
 * the route is still not answered; at most once a minute.
 */
export function createFlightRecorder(parts: RecorderParts): FlightRecorder {
  const { outcome$, isPrefetched, witness, look$, scheduler, wallMs } = parts;
  const polls = createRecent<{ readonly route: CanonicalRoute; readonly outcome: PollOutcome }>(SPAN_MS, MAX_POLLS);
  const samples = createRecent<HostSample>(SPAN_MS, SPAN_MS / SAMPLE_EVERY_MS + 2);
  const lags = createRecent<number>(SPAN_MS, SPAN_MS / 1000);
  const answers = new Map<CanonicalRoute, boolean>();
  let lastAnswered: Answered | undefined;
  let witnessRead: WitnessRead | undefined;
  let latest: Recording | undefined;

  /** True if the poll is the first that fails after an answer. */
  const note = (route: CanonicalRoute, outcome: PollOutcome): boolean => {
    const wasAnswered = answers.get(route) === true;
    answers.set(route, outcome.kind === 'answered');
    polls.add(outcome.endedAtMs, { route, outcome });
    if (outcome.kind === 'answered') lastAnswered = outcome;
    return wasAnswered && outcome.kind === 'failed';
  };
  const sample$ = defer(() => look$.pipe(take(1), timeout({ first: LOOK_MS, scheduler, with: () => of(LATE) }))).pipe(
    catchError(() => of(LATE)), // without a free file, the list of this host's addresses is an error
    defaultIfEmpty(LATE),
    tap((sample) => {
      samples.add(scheduler.now(), sample);
    }),
  );
  const record = (look: 1 | 2, route: CanonicalRoute, failure: string): Observable<Recording> =>
    sample$.pipe(
      map(() => {
        const nowMs = scheduler.now();
        const state = witness.state();
        return recordingOf({
          ...{ look, route, failure, nowMs, wallMs: wallMs() },
          ...{ polls: polls.list(nowMs), samples: samples.list(nowMs), lags: lags.list(nowMs) },
          ...(lastAnswered && { lastAnswered }),
          ...(state && { witness: { state, ...(witnessRead && { read: witnessRead }) } }),
        });
      }),
      tap((recording) => {
        latest = recording;
      }),
    );
  const secondLook = (route: CanonicalRoute, failure: string): Observable<Recording> =>
    timer(SECOND_LOOK_MS, scheduler).pipe(
      filter(() => answers.get(route) === false),
      concatMap(() => record(2, route, failure)), // one, or none
    );
  const firstFailure$ = outcome$.pipe(
    filter(({ route }) => isPrefetched(route)),
    filter(({ route, outcome }) => note(route, outcome)),
    map(({ route, outcome }) => ({
      route,
      failure: outcome.kind === 'failed' ? describeFailure(outcome.failure) : '',
    })),
  );
  return {
    recording$: merge(
      firstFailure$.pipe(
        throttleTime(QUIET_MS, scheduler),
        // exhaustMap: both looks are over before the next recording may begin
        exhaustMap(({ route, failure }) => concat(record(1, route, failure), secondLook(route, failure))),
      ),
      merge(
        timer(SAMPLE_EVERY_MS, SAMPLE_EVERY_MS, scheduler).pipe(exhaustMap(() => sample$)), // exhaustMap: no queue of looks
        witness.read$.pipe(
          tap((read) => {
            witnessRead = read;
          }),
        ),
      ).pipe(ignoreElements()),
    ),
    latest: () => latest,
    lagged(lagMs) {
      lags.add(scheduler.now(), lagMs);
    },
  };
}

const LATE: HostSample = { patroni: { kind: 'late' } };
