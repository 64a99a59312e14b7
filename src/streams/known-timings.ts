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

/** Patroni's timings, as far as Patroni has said them. */
export interface KnownTimings {
  /** The timings of a Patroni of that version; Patroni's defaults until it has said its own. */
  readonly timingsOf: TimingsOf;
  /** The timings in force; `undefined` until both configuration and version are known. */
  readonly inForce: () => PatroniTimings | undefined;
  /** True for a standby cluster, which has no primary; `undefined` until Patroni has said its configuration. */
  readonly standbyCluster: () => boolean | undefined;
  /** Keeps Patroni's dynamic configuration. */
  readonly setConfig: (config: DynamicConfig) => void;
  /** Keeps Patroni's version. */
  readonly setVersion: (version: string) => void;
  /** Forgets all, when the upstream changes. */
  readonly forget: () => void;
}

/** Timings of which nothing is known yet. */
export function createKnownTimings(): KnownTimings {
  let configs: KnownConfigs = [];
  let version: string | undefined;
  return {
    timingsOf: (ofVersion) => knownTimings(configs, ofVersion) ?? ASSUMED_TIMINGS,
    inForce: () => (version === undefined ? undefined : knownTimings(configs, version)),
    standbyCluster: () => configs[0] && isStandbyCluster(configs[0]),
    setConfig(config) {
      configs = withConfig(configs, config, version);
    },
    setVersion(next) {
      version = next;
    },
    forget() {
      [configs, version] = [[], undefined];
    },
  };
}
