import { isDeepStrictEqual } from 'node:util';
import { type ListedKey, allKeys } from './keys.js';
import type { Config, SectionName } from './types.js';

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
  const settings = settingsIn(config, section);
  const values = key.group === 'tls' ? ((settings['tls'] ?? {}) as Settings) : settings;
  return 'contents' in key ? [values[field], values[key.contents]] : values[field];
}

/** The settings of a section in the configuration; empty if the configuration does not have the section. */
export function settingsIn(config: Config, section: SectionName): Settings {
  const inside = (settings: Settings, name: string): Settings => (settings[name] ?? {}) as Settings;
  return section.split('.').reduce(inside, config as unknown as Settings);
}

type Settings = Readonly<Record<string, unknown>>;
