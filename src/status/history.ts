import { type Change, describeChange } from '../streams/changes.js';
import type { PollFailure, PollOutcome, CanonicalRoute } from '../patroni/types.js';

/** Polls of a route that are remembered: two minutes of them, at one a second. */
const MAX_POLLS = 120;
const MAX_CHANGES = 50;

/** A poll that is over. */
export interface PastPoll {
  /** From its beginning to its end, in milliseconds. */
  readonly tookMs: number;
  readonly answered: boolean;
}

/** What is remembered of a route. */
interface RoutePast {
  /** Oldest first. */
  readonly polls: readonly PastPoll[];
  /** The last poll that failed, and when it ended, on the wall clock. */
  readonly lastFailure?: PollFailure & { readonly atMs: number };
}

/** A change that the log tells of, too. */
interface PastChange {
  /** On the wall clock: for people. */
  readonly atMs: number;
  readonly text: string;
}

/** The near past, for a person who looks. Bounded. */
export interface History {
  readonly polled: (route: CanonicalRoute, outcome: PollOutcome) => void;
  readonly changed: (change: Change) => void;
  pastOf(route: CanonicalRoute): RoutePast;
  /** Newest first. */
  changes(): readonly PastChange[];
}

/** Remembers from now on; `wallMs` is the wall clock. */
export function createHistory(wallMs: () => number): History {
  const routes = new Map<CanonicalRoute, RoutePast>();
  let changes: readonly PastChange[] = [];
  const pastOf = (route: CanonicalRoute): RoutePast => routes.get(route) ?? { polls: [] };
  return {
    pastOf,
    changes: () => changes,
    polled(route, outcome) {
      const past = pastOf(route);
      const poll = { tookMs: outcome.endedAtMs - outcome.sentAtMs, answered: outcome.kind === 'answered' };
      const failure = outcome.kind === 'failed' && { lastFailure: { ...outcome.failure, atMs: wallMs() } };
      routes.set(route, { ...past, polls: [...past.polls, poll].slice(-MAX_POLLS), ...failure });
    },
    changed(change) {
      changes = [{ atMs: wallMs(), text: describeChange(change) }, ...changes].slice(0, MAX_CHANGES);
      if (change.kind === 'route-forgotten') routes.delete(change.route);
    },
  };
}
