import { type Change, describeChange } from '../streams/changes.js';
import type { PollFailure, PollOutcome, CanonicalRoute, Lease } from '../patroni/types.js';
import type { Facts, WitnessRead } from '../witness/types.js';
import type { PastPoll } from './types.js';

/** How many polls of a route are kept: two minutes of polls, at one per second. */
const MAX_POLLS = 120;
const MAX_CHANGES = 50;

/** The recent polls of a route. */
interface RoutePast {
  /** Oldest first. */
  readonly polls: readonly PastPoll[];
  /** The last poll that failed, and when it ended, on the wall clock. */
  readonly lastFailure?: PollFailure & { readonly atMs: number };
  /** The lease of the last answer, if it had one. */
  readonly lease?: Lease;
}

/** Something that happened, in words. */
interface PastEvent {
  /** On the wall clock, because people read it. */
  readonly atMs: number;
  readonly text: string;
}

/** A reload that changed something, or was refused. */
interface ReloadEvent extends PastEvent {
  readonly result: 'accepted' | 'refused';
}

/** What has happened, for the status page. Its size is bounded. */
export interface History {
  readonly polled: (route: CanonicalRoute, outcome: PollOutcome) => void;
  /** `learned`: the route is not prefetched. */
  readonly changed: (change: Change, learned: boolean) => void;
  readonly witnessRead: (read: WitnessRead) => void;
  readonly reloaded: (result: ReloadEvent['result'], text: string) => void;
  pastOf(route: CanonicalRoute): RoutePast;
  /** When Patroni last answered a poll, by the scheduler's clock; `undefined` if it never did. */
  answeredAtMs(): number | undefined;
  /** What the last read of the witness brought; `undefined` if it failed, or if there was none. */
  facts(): Facts | undefined;
  lastReload(): ReloadEvent | undefined;
  /** Newest first: of the prefetched routes, or of the learned ones, which come and go with the clients that ask for them. */
  changes(which: 'prefetched' | 'learned'): readonly PastEvent[];
}

/** Starts empty; `wallMs` is the wall clock. */
export function createHistory(wallMs: () => number): History {
  const routes = new Map<CanonicalRoute, RoutePast>();
  const changes = { prefetched: [] as readonly PastEvent[], learned: [] as readonly PastEvent[] };
  let answeredAtMs: number | undefined;
  let facts: Facts | undefined;
  let lastReload: ReloadEvent | undefined;
  const pastOf = (route: CanonicalRoute): RoutePast => routes.get(route) ?? { polls: [] };
  return {
    pastOf,
    answeredAtMs: () => answeredAtMs,
    facts: () => facts,
    lastReload: () => lastReload,
    changes: (which) => changes[which],
    polled(route, outcome) {
      const { polls, lastFailure, lease } = pastOf(route);
      const poll = { tookMs: outcome.endedAtMs - outcome.sentAtMs, answered: outcome.kind === 'answered' };
      const failure = outcome.kind === 'failed' ? { ...outcome.failure, atMs: wallMs() } : lastFailure;
      const known = outcome.kind === 'answered' ? outcome.lease : lease;
      if (outcome.kind === 'answered') answeredAtMs = Math.max(answeredAtMs ?? -Infinity, outcome.endedAtMs);
      routes.set(route, {
        polls: [...polls, poll].slice(-MAX_POLLS),
        ...(failure && { lastFailure: failure }),
        ...(known && { lease: known }),
      });
    },
    changed(change, learned) {
      const which = learned ? 'learned' : 'prefetched';
      changes[which] = [{ atMs: wallMs(), text: describeChange(change) }, ...changes[which]].slice(0, MAX_CHANGES);
      if (change.kind === 'route-forgotten') routes.delete(change.route);
    },
    witnessRead(read) {
      facts = read.kind === 'read' ? read.facts : undefined;
    },
    reloaded(result, text) {
      lastReload = { atMs: wallMs(), result, text };
    },
  };
}
