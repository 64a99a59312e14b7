import type { SchedulerLike } from 'rxjs';
import { type ThisHost, disagreement } from '../witness/agreement.js';
import { afterComparison, mayBeUsed } from '../witness/trust.js';
import type { Facts, Trust } from '../witness/types.js';
import { loopWaitMsOf } from '../witness/verdict.js';
import type { SaidByPatroni } from './patroni-says.js';
import type { WitnessSettings } from './witness-read.js';

/** Answers of Patroni that are older than this many intervals are not compared with the keys in the DCS. */
const RECENT_INTERVALS = 2;

/** Keeps whether the witness may be used. */
export interface KeptTrust {
  readonly now: () => Trust;
  /** The node's name in Patroni; `undefined` while neither the configuration nor Patroni has said it. */
  readonly nameIn: (settings: WitnessSettings) => string | undefined;
  /** Compares facts with what Patroni has said at about the same time. */
  readonly compare: (settings: WitnessSettings, facts: Facts) => void;
  readonly mayBeUsed: (settings: WitnessSettings, facts: Facts) => boolean;
  /** Forgets all comparisons. */
  readonly forget: () => void;
}

/** Begins without a comparison. */
export function createKeptTrust(
  said: SaidByPatroni,
  thisHost: () => Omit<ThisHost, 'postgres'>,
  scheduler: SchedulerLike,
): KeptTrust {
  let trust: Trust = { kind: 'not-compared' };
  let wasFound = false;
  const hostOf = (settings: WitnessSettings): ThisHost => hostWith(settings, thisHost());
  return {
    now: () => trust,
    nameIn: ({ witness }) => witness.name ?? said.identity().name,
    compare(settings, facts) {
      const recent = said.since(facts.askedAtMs - RECENT_INTERVALS * settings.intervalMs);
      const found = disagreement(facts, recent, hostOf(settings), wasFound);
      if (found === undefined) wasFound = true;
      trust = afterComparison(trust, facts, found, { loopWaitMs: loopWaitMsOf(facts), nowMs: scheduler.now() });
    },
    mayBeUsed: (settings, facts) => mayBeUsed(trust, facts, said.identity(), hostOf(settings)),
    forget() {
      trust = { kind: 'not-compared' };
      wasFound = false;
    },
  };
}

/** This host, with the PostgreSQL that the witness asks. */
export function hostWith({ witness: { postgres } }: WitnessSettings, host: Omit<ThisHost, 'postgres'>): ThisHost {
  return { ...host, ...(postgres && { postgres }) };
}
