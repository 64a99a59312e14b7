import type { JsonObject } from '../patroni/json-body.js';
import type { FailureReason, PollFailure } from '../patroni/types.js';

/** The life of an etcd lease, as etcd says it (`lease/timetolive`). */
export interface LeaseLife {
  /** How long the lease still lives at least, in milliseconds. etcd says whole seconds, rounded down. */
  readonly remainingMs: number;
  /** How long the lease lives after a renewal, in milliseconds: Patroni's `ttl`. */
  readonly grantedMs: number;
}

/** A key of the DCS that lives as long as its lease. */
export interface LeasedKey {
  readonly value: string;
  /** Absent if the key has no lease, if the lease is gone, or if etcd was not asked for it. */
  readonly lease?: LeaseLife;
}

/** The keys of a node in the DCS, all read at one revision. A key that does not exist is absent. */
export interface NodeKeys {
  /** The name of the node that holds the leader key. */
  readonly leader?: LeasedKey;
  /** What the node last said of itself: JSON. */
  readonly member?: LeasedKey;
  /** Patroni's dynamic configuration: JSON. */
  readonly config?: string;
  /** The leader's position in the WAL: JSON. */
  readonly status?: string;
  /** The synchronous standbys: JSON. */
  readonly sync?: string;
  /** The system identifier of the cluster's PostgreSQL. */
  readonly initialize?: string;
}

/**
 * Whether PostgreSQL accepts connections. `silent`: it has not answered in time, and may be busy or hang. `not-asked`: the
 * configuration has `witness.postgres: none`.
 */
export type PostgresState = 'accepts' | 'refuses' | 'silent' | 'not-asked';

/** What one read of the DCS and of PostgreSQL says about this node. */
export interface Facts {
  /** The node's name in Patroni. */
  readonly name: string;
  /** When the read was sent, by the scheduler's clock, in milliseconds. */
  readonly askedAtMs: number;
  readonly keys: NodeKeys;
  /** The JSON of the member key; `undefined` if there is no such key, or no JSON object in it. */
  readonly member: JsonObject | undefined;
  readonly postgres: PostgresState;
}

/** What the witness says for a route, in place of a Patroni that does not answer. */
export interface Verdict {
  readonly status: 200 | 503;
  /** When this stops counting, by the scheduler's clock, in milliseconds. */
  readonly endsAtMs: number;
  /** Why, for people: `the leader key names node2`. */
  readonly why: string;
}

/** One read of the witness. Times are the scheduler's, in milliseconds. */
export type WitnessRead = { readonly askedAtMs: number; readonly endedAtMs: number } & (
  { readonly kind: 'read'; readonly facts: Facts } | { readonly kind: 'failed'; readonly failure: PollFailure }
);

/** The latest comparison found no contradiction. */
interface Agreement {
  readonly kind: 'agrees';
  /** `conn_url` of the member. Another one means another node of the same name. */
  readonly connUrl: unknown;
}

/** Whether the witness may be used, by its comparisons with Patroni. */
export type Trust =
  /** Patroni has not answered yet, since the start or since a reload. */
  | { readonly kind: 'not-compared' }
  | Agreement
  /** A first contradiction, which a change under way may explain, such as a switchover. `former` is the agreement before it. */
  | { readonly kind: 'doubted'; readonly sinceMs: number; readonly former?: Agreement }
  | { readonly kind: 'contradicts'; readonly message: string };

/** Whether the witness can be used. */
export type WitnessState =
  | Trust
  /** It cannot be read, for this reason. */
  | { readonly kind: 'unreachable'; readonly reason: FailureReason; readonly message: string };
