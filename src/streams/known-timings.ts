import type { TimingsOf } from '../patroni/leader-lease.js';
import {
  ASSUMED_TIMINGS,
  type DynamicConfig,
  type KnownConfigs,
  type PatroniTimings,
  isStandbyCluster,
  knownTimings,
  withConfig,
} from '../patroni/timings-in-force.js';

/** What Patroni has said of its timings so far. */
export interface KnownTimings {
  /** The timings of a Patroni of that version; its own defaults while it has said nothing. */
  readonly timingsOf: TimingsOf;
  /** The timings in force; `undefined` until both configuration and version are known. */
  readonly inForce: () => PatroniTimings | undefined;
  /** Whether no node of the cluster is to be a primary; `undefined` while Patroni has not said. */
  readonly standbyCluster: () => boolean | undefined;
  /** Patroni has said its dynamic configuration. */
  readonly sawConfig: (config: DynamicConfig) => void;
  /** Patroni has said its version. */
  readonly sawVersion: (version: string) => void;
  /** Another upstream: what the former one said is of no use. */
  readonly forget: () => void;
}

/** Nothing is known yet. */
export function createKnownTimings(): KnownTimings {
  let configs: KnownConfigs = [];
  let version: string | undefined;
  return {
    timingsOf: (ofVersion) => knownTimings(configs, ofVersion) ?? ASSUMED_TIMINGS,
    inForce: () => (version === undefined ? undefined : knownTimings(configs, version)),
    standbyCluster: () => configs[0] && isStandbyCluster(configs[0]),
    sawConfig(config) {
      configs = withConfig(configs, config, version);
    },
    sawVersion(said) {
      version = said;
    },
    forget() {
      [configs, version] = [[], undefined];
    },
  };
}
