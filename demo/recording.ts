import type { Check, Outcome, Sample } from './sampler.js';
import type { Played } from './story.js';

/** All that was seen so far. Times are `performance.now()`'s. */
export interface Recording {
  readonly startedAtMs: number;
  readonly played: readonly Played[];
  readonly direct: readonly Check[];
  readonly glue: readonly Check[];
  /** At the patroniglue that has the witness. */
  readonly witnessed: readonly Check[];
  /** HAProxy's word on the primary's server (`undefined`: it gave none); absent where there is no HAProxy. */
  readonly server: readonly Sample<string | undefined>[] | undefined;
  /** The same of the HAProxy that checks through the patroniglue with the witness. */
  readonly witnessedServer: readonly Sample<string | undefined>[] | undefined;
}

/** How long a question may be without an answer before that is worth showing. */
const NOTICED_MS = 200;

/** What a look at the samples shows now: the last answer, or that one is waited for. */
export type Now =
  | { readonly kind: 'nothing-yet' }
  | { readonly kind: 'waiting'; readonly forMs: number }
  | { readonly kind: 'ended'; readonly outcome: Outcome; readonly tookMs: number };

export function lookAt(checks: readonly Check[], nowMs: number): Now {
  const newest = checks.findLastIndex(({ end }) => end !== undefined);
  const overdue = checks.slice(newest + 1).find(({ startedAtMs }) => nowMs - startedAtMs > NOTICED_MS);
  const last = checks[newest];
  // While checks hang one after the other, what the last one came to says more than how long the next has waited.
  const isHung = last?.end?.value.kind === 'hung';
  if (overdue && !isHung) return { kind: 'waiting', forMs: nowMs - overdue.startedAtMs };
  if (!last?.end) return { kind: 'nothing-yet' };
  return { kind: 'ended', outcome: last.end.value, tookMs: last.end.atMs - last.startedAtMs };
}

/** The last word of HAProxy. */
export function serverNow(server: Recording['server']): string {
  return (server ?? []).findLast(({ end }) => end?.value !== undefined)?.end?.value ?? '';
}

/** The checks that have ended, as the time each took. */
export function times(checks: readonly Check[]): readonly number[] {
  return checks.flatMap(({ startedAtMs, end }) => (end ? [end.atMs - startedAtMs] : []));
}

export function count(checks: readonly Check[], is: (outcome: Outcome) => boolean): number {
  return checks.filter(({ end }) => end && is(end.value)).length;
}

export const isStatus =
  (status: number) =>
  (outcome: Outcome): boolean =>
    outcome.kind === 'status' && outcome.status === status;

export const isNoReply = ({ kind }: Outcome): boolean => kind !== 'status';
