import type { AgentState } from '../agent-check/types.js';
import type { Breakage, Tally } from '../http/broken-connection.js';
import type { CanonicalRoute, Snapshot } from '../patroni/types.js';
import type { RoutePlan } from '../streams/cache.js';
import type { CertificateOwner } from '../streams/certificate-watch.js';
import type { WitnessState } from '../witness/types.js';
import type { RouteCounters } from './route-counters.js';

/** Values that are kept elsewhere, and read when Prometheus asks. Times are in milliseconds. */
export interface MetricSources {
  readonly cache: RoutePlan & {
    routes(): readonly CanonicalRoute[];
    latest(route: CanonicalRoute): Snapshot | undefined;
  };
  /** The clock of snapshots. */
  readonly nowMs: () => number;
  /** Answered checks, by status. */
  readonly checks: RouteCounters<number>;
  /** Those of them whose reply came from the witness. */
  readonly witnessedChecks: RouteCounters<number>;
  /** Whether the witness can be used; `undefined` if the configuration names none. */
  readonly witness: { readonly state: () => WitnessState | undefined };
  /** Answered agent checks, by the state that the reply sets for the server. */
  readonly agentChecks: RouteCounters<AgentState>;
  /** Connections that ended before they were a request, by reason. */
  readonly broken: Pick<Tally<Breakage>, 'entries'>;
  /** Open connections of clients, and the most that may be open. */
  readonly connections: { readonly open: number; readonly max: number };
  /** Since when Patroni is frozen, on the clock of `nowMs`; `undefined` while it is not. */
  readonly frozenSinceMs: () => number | undefined;
  readonly droppedLogLines: () => number;
  /** How many files this process has open; `undefined` where that cannot be counted. */
  readonly openFiles: () => number | undefined;
  readonly cacheTtlMs: () => number;
  /** The largest safe `cache.ttl`; `undefined` while Patroni's timings are not known. */
  readonly safeTtlMs: () => number | undefined;
  /** When certificates end, on the wall clock, in milliseconds. */
  readonly certificateEnds: () => ReadonlyMap<CertificateOwner, number>;
  /** When the last check of a route came, on the clock of `nowMs`; `undefined` if none came. */
  readonly lastCheckAtMs: (route: CanonicalRoute) => number | undefined;
  /** When this patroniglue was started, on the clock of `nowMs`. */
  readonly startedAtMs: number;
  /** Whether this is a standby cluster, in which no node is primary; `undefined` while it is not known. */
  readonly standbyCluster: () => boolean | undefined;
}
