import type { Config } from '../config/types.js';

/** The names of cluster and node, as the configuration of the witness has them. */
export interface ConfiguredNames {
  readonly scope?: string;
  readonly name?: string;
}

/** With Citus, the key ends with a group: `/service/main/0` is `main/0`. A scope may be a number, too: `/service/17` is `17`. */
export function configuredNames({
  witness,
}: {
  readonly witness?: Pick<NonNullable<Config['witness']>, 'key' | 'name'>;
}): ConfiguredNames {
  if (witness === undefined) return {};
  const parts = witness.key.split('/').filter((part) => part !== '');
  const hasGroup = parts.length > 2 && /^\d+$/.test(parts.at(-1) ?? '');
  const scope = parts.slice(hasGroup ? -2 : -1).join('/');
  return { scope, ...(witness.name !== undefined && { name: witness.name }) };
}
