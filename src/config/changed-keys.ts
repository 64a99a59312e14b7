import { isDeepStrictEqual } from 'node:util';
import { type ListedKey, allKeys } from './keys.js';
import type { Config } from './types.js';

/**
 * The keys whose values differ between two configurations, such as `cache.ttl`. Defaults that follow from other keys count,
 * too.
 */
export function changedKeys(before: Config, after: Config): readonly string[] {
  return allKeys.filter((key) => !isDeepStrictEqual(valueIn(before, key), valueIn(after, key))).map(({ path }) => path);
}

/** The value of a key. For a file, its text as well, so that a new certificate is a change. */
function valueIn(config: Config, { section, field, path, key }: ListedKey): unknown {
  if (path === 'agent.host' && config.agent.port === undefined) return undefined; // agent checks are off
  const settings = config[section] as Settings & { readonly tls?: Settings };
  const values: Settings = key.group === 'tls' ? (settings.tls ?? {}) : settings;
  return key.kind === 'file' ? [values[field], values[key.contents]] : values[field];
}

type Settings = Readonly<Record<string, unknown>>;
