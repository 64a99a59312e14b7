import { readPythonYaml, type Section } from './python-yaml.js';
import { ConfigError } from '../../errors.js';

/** The environment of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Variables that stand for one key each: section (or none), and names of its keys. Only keys that patroniglue reads. */
const SINGLE: readonly (readonly [section: string | undefined, keys: readonly string[]])[] = [
  [undefined, ['name', 'namespace', 'scope']],
  ['restapi', ['listen', 'connect_address', 'certfile', 'keyfile', 'cafile', 'ciphers', 'verify_client', 'allowlist']],
  ['ctl', ['cacert', 'certfile', 'keyfile', 'keyfile_password']],
  ['postgresql', ['listen', 'connect_address']],
  ['raft', ['data_dir', 'self_addr', 'partner_addrs', 'password', 'bind_addr']],
];

/** What follows `PATRONI_ETCD3_` and the like. Each of these variables makes the section of its DCS. */
const DCS_SUFFIX = new RegExp(
  `^PATRONI_(CITUS|CONSUL|ETCD3?|EXHIBITOR|KUBERNETES|ZOOKEEPER)_(${[
    ...['HOSTS?', 'PORTS?', 'USE_PROXIES', 'PROTOCOL', 'SRV', 'SRV_SUFFIX', 'URL', 'PROXY', 'CACERT', 'CERT', 'KEY'],
    ...['VERIFY', 'TOKEN', 'CHECKS', 'DC', 'CONSISTENCY', 'REGISTER_SERVICE', 'SERVICE_CHECK_INTERVAL'],
    ...['SERVICE_CHECK_TLS_SERVER_NAME', 'SERVICE_TAGS', 'NAMESPACE', 'CONTEXT', 'USE_ENDPOINTS', 'SCOPE_LABEL'],
    ...['ROLE_LABEL', 'POD_IP', 'LABELS', 'BYPASS_API_SERVICE', 'RETRIABLE_HTTP_CODES', 'KEY_PASSWORD', 'USE_SSL'],
    ...['SET_ACLS', 'GROUP', 'DATABASE', 'LEADER_LABEL_VALUE', 'FOLLOWER_LABEL_VALUE', 'STANDBY_LEADER_LABEL_VALUE'],
    ...['TMP_ROLE_LABEL', 'AUTH_DATA', 'BOOTSTRAP_LABELS'],
  ].join('|')})$`,
);

/**
 * What the `PATRONI_*` variables say, as sections (`_build_environment_configuration` in `patroni/config.py`, 3.0.2 and
 * 4.1.4; the names are in `docs/ENVIRONMENT.rst`). Patroni removes these variables from its own environment, but a service
 * that systemd starts may have them in an `EnvironmentFile`. Keys of no use to patroniglue are left out.
 */
export function patroniEnvironment(environment: Environment): Section {
  const top: Record<string, unknown> = {};
  const set = (section: string | undefined, key: string, value: unknown): void => {
    if (section === undefined) top[key] = value;
    else top[section] = { ...(top[section] as Section | undefined), [key]: value };
  };
  for (const [section, keys] of SINGLE) {
    for (const key of keys) {
      const value = environment[variable(section, key)];
      if (value) set(section, key, value);
    }
  }
  const insecure = boolean(environment['PATRONI_CTL_INSECURE'] ?? '');
  if (insecure !== undefined) set('ctl', 'insecure', insecure);
  for (const [name, value] of Object.entries(environment)) {
    const [, section, key] = DCS_SUFFIX.exec(name) ?? [];
    if (section === undefined || key === undefined || value === undefined) continue;
    const read = section === 'CITUS' ? citus(key, value) : key === 'HOSTS' ? list(value) : value;
    if (read !== undefined) set(section.toLowerCase(), key.toLowerCase(), read);
  }
  for (const section of ['etcd', 'etcd3']) {
    if (top[section] === undefined) continue; // Patroni reads these only beside another variable of the section
    for (const key of ['username', 'password']) {
      const value = environment[variable(section, key)];
      if (value) set(section, key, value);
    }
  }
  return top;
}

/** `file` with the keys of `over` in place of its own (`patch_config` in `patroni/utils.py`). */
export function patched(file: Section, over: Section): Section {
  const result: Record<string, unknown> = { ...file };
  for (const [key, value] of Object.entries(over)) {
    const before = result[key];
    if (value === null) Reflect.deleteProperty(result, key);
    else result[key] = isSection(value) && isSection(before) ? patched(before, value) : value;
  }
  return result;
}

/** True for a section of keys, as opposed to a list or a single value. */
export function isSection(value: unknown): value is Section {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function variable(section: string | undefined, key: string): string {
  return `PATRONI_${section === undefined ? '' : `${section}_`}${key}`.toUpperCase();
}

/** `PATRONI_CITUS_GROUP` is a whole number, in C's spelling. Patroni ignores any other variable than these two. */
function citus(key: string, value: string): unknown {
  if (key === 'DATABASE') return value;
  if (key !== 'GROUP' || !/^\s*[-+]?(?:0x[\da-f]+|\d+)\s*$/i.test(value)) return undefined;
  return /^\s*0[0-7]+\s*$/.test(value) ? parseInt(value, 8) : Number(value);
}

/** A list in YAML, or words with commas. `undefined` if it is neither: Patroni logs that, and goes on. */
function list(value: string): unknown {
  const text = value.trim().startsWith('-') || value.includes('[') ? value : `[${value}]`;
  try {
    return readPythonYaml('environment', `list: ${text.trim().startsWith('-') ? `\n${text}` : text}\n`)['list'];
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}

/** The words that `parse_bool` in `patroni/utils.py` reads. */
function boolean(value: string): boolean | undefined {
  if (/^(?:on|true|yes|1)$/i.test(value)) return true;
  return /^(?:off|false|no|0)$/i.test(value) ? false : undefined;
}
