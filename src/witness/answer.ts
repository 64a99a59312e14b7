import { jsonObject } from '../patroni/json-body.js';
import { isTruthy } from '../patroni/python-values.js';
import type { Answer } from '../patroni/types.js';
import type { Facts, Verdict } from './types.js';

/** What the witness asks, in `Cache-Status` and bodies. */
export const WITNESS_SOURCE = 'etcd3';

/**
 * A verdict as an answer: in Patroni's spelling, because people match `"role": "primary"` in it, with only what the keys say
 * (`write_status_response` in `patroni/api.py`). The member `witness` says that this is no answer of Patroni.
 */
export function answerOf({ status, why }: Verdict, { name, keys, member }: Facts): Answer {
  const { state, role, timeline, tags, version } = member ?? {};
  const life = keys.leader?.value === name ? keys.leader.lease : keys.member?.lease;
  const said = {
    ...{ state, role, timeline, tags },
    database_system_identifier: keys.initialize,
    pause: isTruthy(jsonObject(keys.config ?? '')?.['pause']) ? true : undefined,
    patroni: { version, name },
    witness: { source: WITNESS_SOURCE, says: why, lease_seconds: life && Math.floor(life.remainingMs / 1000) },
  };
  return { status, contentType: 'application/json', body: Buffer.from(pythonJson(said)) };
}

/** JSON as Python's `json.dumps` spaces it. Members without a value are left out. */
function pythonJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null);
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}: ${pythonJson(member)}`).join(', ')}}`;
}
