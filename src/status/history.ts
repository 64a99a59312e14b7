import { type Change, describeChange } from '../streams/changes.js';
import type { PollFailure, PollOutcome, CanonicalRoute } from '../patroni/types.js';

/** How many polls of a route are kept: two minutes of polls, at one per second. */
const MAX_POLLS = 120;
const MAX_CHANGES = 50;

/** A poll that has ended. */
export interface PastPoll {
  /** From its beginning to its end, in milliseconds. */
  readonly tookMs: number;
  readonly answered: boolean;
}

/** The recent polls of a route. */
interface RoutePast {
  /** Oldest first. */
  readonly polls: readonly PastPoll[];
  /** The last poll that failed, and when it ended, on the wall clock. */
  readonly lastFailure?: PollFailure & { readonly atMs: number };
}

/** A change, with the text of its log line. */
interface PastChange {
  /** On the wall clock, because people read it. */
  readonly atMs: number;
  readonly text: string;
}

/** Recent polls and changes for the status page. Their number is bounded. */
export interface History {
  readonly polled: (route: CanonicalRoute, outcome: PollOutcome) => void;
  readonly changed: (change: Change) => void;
  pastOf(route: CanonicalRoute): RoutePast;
  /** Newest first. */
  changes(): readonly PastChange[];
}

/** Starts empty; `wallMs` is the wall clock. */
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
