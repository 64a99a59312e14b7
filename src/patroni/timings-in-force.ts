import { MAX_PARSED_BYTES, isObject, jsonObject } from './json-body.js';
import { isAtLeast } from './patroni-version.js';
import { isOn, isTruthy, pythonInt } from './python-values.js';
import type { Answer } from './types.js';

/** Patroni's dynamic configuration as it is in the DCS. Patroni may adjust its values: {@link timingsInForce}. */
export type DynamicConfig = Readonly<Record<string, unknown>>;

/** How long Patroni's leader key lives, how often Patroni renews it, and how long it retries; in milliseconds. */
export interface PatroniTimings {
  readonly ttlMs: number;
  readonly loopWaitMs: number;
  readonly retryTimeoutMs: number;
  /** A leader that loses its DCS may stay the leader if all members agree. */
  readonly failsafeMode: boolean;
  /** The values of the dynamic configuration, in seconds. Present only if Patroni has adjusted them. */
  readonly written?: Readonly<Record<TimingKey, number>>;
}

/** Patroni's defaults for keys that its dynamic configuration lacks (`Config.__DEFAULT_CONFIG` in `patroni/config.py`). */
const DEFAULTS_S = { ttl: 30, loop_wait: 10, retry_timeout: 10 } as const;

type TimingKey = keyof typeof DEFAULTS_S;

/** Patroni's smallest values from 3.2 on (`_validate_and_adjust_timeouts` in `patroni/config.py`, 3.2.0 to 4.1.4). */
const MINIMA_S = { ttl: 20, loop_wait: 1, retry_timeout: 3 } as const;

/** Patroni's defaults, assumed until Patroni has said its timings. Patroni uses them if its DCS has no configuration. */
export const ASSUMED_TIMINGS: PatroniTimings = { ...inMs(DEFAULTS_S), failsafeMode: false };

/**
 * The configuration in an answer to `GET /config` (`do_GET_config` in `patroni/api.py`). `undefined` if there is none, or an
 * empty one, which Patroni ignores (`_run_cycle` in `patroni/__main__.py`).
 */
export function configIn({ status, body }: Answer): DynamicConfig | undefined {
  const config = status === 200 ? jsonObject(body) : undefined;
  return config && Object.keys(config).length > 0 ? config : undefined;
}

/** Patroni's version in the body of a health route or of `/patroni`; `undefined` in any other body. */
export function versionIn({ body }: Answer): string | undefined {
  return body.length > MAX_PARSED_BYTES ? undefined : versionOf(jsonObject(body) ?? {});
}

/** Patroni's version in a parsed body. */
export function versionOf({ patroni }: Readonly<Record<string, unknown>>): string | undefined {
  const version = isObject(patroni) ? patroni['version'] : undefined;
  return typeof version === 'string' ? version : undefined;
}

/**
 * The timings that Patroni uses with a dynamic configuration. `undefined` if Patroni refuses the configuration and keeps its
 * former timings. From 3.2 on Patroni raises values below their minimum, and lowers `loop_wait`, then `retry_timeout`, until
 * `loop_wait + 2 * retry_timeout <= ttl`; `GET /config` still shows the values as written. Earlier versions use them as written.
 *
 * @param version Patroni's version; an unknown version is treated as one before 3.2
 */
export function timingsInForce(config: DynamicConfig, version: string | undefined): PatroniTimings | undefined {
  if (isRefused(config, version)) return undefined;
  const read = (key: TimingKey): number => (key in config ? pythonInt(config[key]) : DEFAULTS_S[key]) ?? NaN;
  const written = { ttl: read('ttl'), loop_wait: read('loop_wait'), retry_timeout: read('retry_timeout') };
  if (Object.values(written).some(Number.isNaN)) return undefined;
  const inForce = isAtLeast(version, [3, 2, 0]) ? adjusted(written) : written;
  const isOther = (Object.keys(DEFAULTS_S) as TimingKey[]).some((key) => inForce[key] !== written[key]);
  const failsafeMode = isAtLeast(version, [3, 0, 0]) && isOn(config['failsafe_mode']);
  return { ...inMs(inForce), failsafeMode, ...(isOther && { written }) };
}

/** Adjusts timings as Patroni's `Config._validate_and_adjust_timeouts` does. */
function adjusted(written: Readonly<Record<TimingKey, number>>): Record<TimingKey, number> {
  const atLeast = (key: TimingKey): number => Math.max(written[key], MINIMA_S[key]);
  const [ttl, loopWait, retryTimeout] = [atLeast('ttl'), atLeast('loop_wait'), atLeast('retry_timeout')];
  if (MINIMA_S.loop_wait + 2 * retryTimeout > ttl) {
    return { ttl, loop_wait: MINIMA_S.loop_wait, retry_timeout: Math.floor((ttl - MINIMA_S.loop_wait) / 2) };
  }
  return { ttl, loop_wait: Math.min(loopWait, ttl - 2 * retryTimeout), retry_timeout: retryTimeout };
}

/** True if the configuration makes a standby cluster, where no node is a primary (`is_standby_cluster` in `patroni/utils.py`). */
export function isStandbyCluster({ standby_cluster: section }: DynamicConfig): boolean {
  return isObject(section) && ['host', 'port', 'restore_command'].some((key) => isTruthy(section[key]));
}

/**
 * The dynamic configurations that matter: first the newest one, then the one that Patroni still uses if it refuses the newest.
 */
export type KnownConfigs = readonly DynamicConfig[];

/** The known configurations after Patroni has said `config`. */
export function withConfig(known: KnownConfigs, config: DynamicConfig, version: string | undefined): KnownConfigs {
  const accepted = known.find((one) => timingsInForce(one, version) !== undefined);
  return accepted === undefined ? [config] : [config, accepted];
}

/** The timings of the newest configuration that a Patroni of that version accepts; `undefined` if it refuses all. */
export function knownTimings(known: KnownConfigs, version: string | undefined): PatroniTimings | undefined {
  return known.map((config) => timingsInForce(config, version)).find((timings) => timings !== undefined);
}

/** Patroni before 3.0.3 reads these keys with `int()`, and refuses the whole configuration if one value is no integer. */
const OTHER_INTEGERS = [
  'maximum_lag_on_failover',
  'maximum_lag_on_syncnode',
  'check_timeline',
  'primary_start_timeout',
  'primary_stop_timeout',
  'synchronous_node_count',
  'watchdog',
];

/** The same for keys of `postgresql.parameters` (`CMDLINE_OPTIONS` in `patroni/postgresql/config.py`), in lower case. */
const PARAMETER_INTEGERS = [
  'max_connections',
  'max_wal_senders',
  'wal_keep_segments',
  'max_prepared_transactions',
  'max_locks_per_transaction',
  'max_replication_slots',
  'max_worker_processes',
];

/** True if Patroni's `Config._build_effective_configuration` fails at keys other than the timings. */
function isRefused(config: DynamicConfig, version: string | undefined): boolean {
  const { postgresql, standby_cluster: standbyCluster } = config;
  const parameters = isObject(postgresql) ? postgresql['parameters'] : undefined;
  if ([postgresql, standbyCluster, parameters].some((section) => isTruthy(section) && !isObject(section))) return true;
  if (isAtLeast(version, [3, 0, 3])) return false;
  const renamed = ['start', 'stop']
    .filter((what) => !(`primary_${what}_timeout` in config))
    .map((what) => `master_${what}_timeout`);
  const integers = [...OTHER_INTEGERS, ...renamed].filter((key) => key in config).map((key) => config[key]);
  const parameterIntegers = Object.entries(isObject(parameters) ? parameters : {})
    .filter(([name]) => PARAMETER_INTEGERS.includes(name.toLowerCase()))
    .map(([, value]) => value);
  return [...integers, ...parameterIntegers].some((value) => pythonInt(value) === undefined);
}

function inMs(seconds: Readonly<Record<TimingKey, number>>): Omit<PatroniTimings, 'failsafeMode'> {
  const ms = (key: TimingKey): number => Math.max(0, seconds[key]) * 1000;
  return { ttlMs: ms('ttl'), loopWaitMs: ms('loop_wait'), retryTimeoutMs: ms('retry_timeout') };
}
