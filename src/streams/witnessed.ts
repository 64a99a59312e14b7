import { EMPTY, type Observable, concatMap, connect, defer, filter, merge, of, switchMap, tap } from 'rxjs';
import type { CanonicalRoute, PollOutcome, Witnessed } from '../patroni/types.js';
import { WITNESS_SOURCE, answerOf } from '../witness/answer.js';
import type { Facts } from '../witness/types.js';
import { isWitnessed, judge } from '../witness/verdict.js';
import { type OverdueOptions, overdue } from './overdue.js';

/** The route, and the facts from which the witness answers for it. */
export interface WitnessedOptions extends OverdueOptions {
  readonly route: CanonicalRoute;
  /** Reads the facts again and again while it is subscribed. */
  readonly facts$: Observable<Facts>;
  /** The wall clock, for people: they are told since when Patroni does not answer. */
  readonly wallMs: () => number;
}

/**
 * The outcomes of a route's polls, and between them what the witness says while Patroni's answer is overdue. The subscription
 * to the facts ends with the first answer of Patroni.
 */
export function withWitness(
  outcome$: Observable<PollOutcome>,
  options: WitnessedOptions,
): Observable<PollOutcome | Witnessed> {
  const { route, facts$, wallMs, ttlMs, scheduler } = options;
  if (!isWitnessed(route)) return outcome$;
  const witnessed = (facts: Facts, sinceMs: number): Observable<Witnessed> => {
    const verdict = judge(route, facts, ttlMs, scheduler.now());
    if (verdict === undefined) return EMPTY;
    const { endsAtMs, why } = verdict;
    const answer = answerOf(verdict, facts, sinceMs);
    return of({ kind: 'witnessed', answer, sentAtMs: facts.askedAtMs, endsAtMs, source: WITNESS_SOURCE, why });
  };
  return defer(() => {
    let answeredAtMs = -Infinity;
    let sinceMs = wallMs();
    return outcome$.pipe(
      tap((outcome) => {
        if (outcome.kind !== 'answered') return;
        answeredAtMs = outcome.endedAtMs;
        sinceMs = wallMs();
      }),
      connect((shared$) =>
        merge(
          shared$,
          overdue(shared$, options).pipe(
            // switchMap: no facts are read for a route that Patroni answers
            switchMap((isOverdue) => (isOverdue ? facts$ : EMPTY)),
            filter(({ askedAtMs }) => askedAtMs >= answeredAtMs), // older facts must not replace Patroni's answer
            concatMap((facts) => witnessed(facts, sinceMs)), // one event or none, at once
          ),
        ),
      ),
    );
  });
}
