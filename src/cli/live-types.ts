import type { CanonicalRoute, PollOutcome } from '../patroni/types.js';

/** The answer of Patroni for a configured route. */
export interface LiveAnswer {
  /** The route as the configuration has it. */
  readonly written: string;
  /** The route for which patroniglue asks Patroni. */
  readonly route: CanonicalRoute;
  readonly outcome: PollOutcome;
}

/** How the witness was read once, as one line for people. */
export interface LiveWitness {
  readonly text: string;
  /** False if patroniglue could not use the witness. */
  readonly isUsable: boolean;
}

/** An address at which the configuration makes the service listen, and the outcome of a try. */
export interface ListenAddress {
  readonly section: 'frontend' | 'agent';
  readonly host: string;
  /** Why the service cannot listen there. */
  readonly problem?: string;
  /** Only this host can reach the address. */
  readonly isLoopback: boolean;
}
