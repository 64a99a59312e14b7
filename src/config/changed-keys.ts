import { isDeepStrictEqual } from 'node:util';
import { type ListedKey, allKeys } from './keys.js';
import type { Config } from './types.js';

/** The keys whose values differ between two configurations, defaults that follow from others included: `cache.ttl`. */
export function changedKeys(before: Config, after: Config): readonly string[] {
  return allKeys.filter((key) => !isDeepStrictEqual(valueIn(before, key), valueIn(after, key))).map(({ path }) => path);
}

/** What a key comes to; of a file its text as well, so that a new certificate is a change. */
function valueIn(config: Config, { section, field, path, key }: ListedKey): unknown {
  if (path === 'agent.host' && config.agent.port === undefined) return undefined; // nobody listens there
  const settings = config[section] as Settings & { readonly tls?: Settings };
  const values: Settings = key.group === 'tls' ? (settings.tls ?? {}) : settings;
  return key.kind === 'file' ? [values[field], values[key.contents]] : values[field];
}

type Settings = Readonly<Record<string, unknown>>;
