import type { CanonicalRoute, PollOutcome } from '../patroni/types.js';
import type { Verdict } from '../witness/types.js';

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
  /** What etcd says of the node; absent if etcd cannot be read, or contradicts Patroni. */
  readonly seen?: NodeInEtcd;
}

/** What etcd says of a node. */
export interface NodeInEtcd {
  /** Patroni has answered, and agrees. */
  readonly isCompared: boolean;
  readonly name: string;
  /** The node's own key is there. It expires when Patroni's HA loop stands still for `ttl`. */
  readonly hasMember: boolean;
  /** The node that holds the leader key; absent if none does. */
  readonly leader?: string;
  /** Whether the witness can answer 200 as a leader's node, and why not. Absent if it cannot say. */
  readonly verdict?: Pick<Verdict, 'status' | 'why'>;
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
