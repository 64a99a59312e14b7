import { jsonObject } from '../patroni/json-body.js';
import { isTruthy } from '../patroni/python-values.js';
import type { Answer } from '../patroni/types.js';
import type { Facts, Verdict } from './types.js';

/** What the witness asks, in `Cache-Status` and bodies. */
export const WITNESS_SOURCE = 'etcd3';

/**
 * A verdict as an answer: in Patroni's spelling, because people match `"role": "primary"` in it, with only what the keys say
 * (`write_status_response` in `patroni/api.py`). The member `witness` says that this is no answer of Patroni. At 503, `detail`
 * says it to people, and `since` says since when.
 *
 * @param sinceMs since when Patroni has not answered, on the wall clock
 */
export function answerOf({ status, why }: Verdict, { name, keys, member }: Facts, sinceMs: number): Answer {
  const { state, role, timeline, tags, version } = member ?? {};
  const life = keys.leader?.value === name ? keys.leader.lease : keys.member?.lease;
  const said = {
    ...(status === 503 && {
      detail: `Patroni does not answer; by the witness: ${why}`,
      since: new Date(sinceMs).toISOString(),
    }),
    ...{ state, role, timeline, tags },
    database_system_identifier: keys.initialize,
    pause: isTruthy(jsonObject(keys.config ?? '')?.['pause']) ? true : undefined,
    patroni: { version, name },
    witness: { source: WITNESS_SOURCE, says: why, lease_seconds: life && Math.floor(life.remainingMs / 1000) },
  };
  return { status, contentType: 'application/json', body: Buffer.from(pythonJson(said)) };
}

/** The deepest level that is written. What etcd has may be nested without end. */
const MOST_LEVELS = 8;

/** JSON as Python's `json.dumps` spaces it. Members without a value are left out. */
function pythonJson(value: unknown, level = 0): string {
  if (typeof value !== 'object' || value === null || level > MOST_LEVELS) {
    return typeof value === 'object' ? 'null' : JSON.stringify(value ?? null);
  }
  if (Array.isArray(value)) return `[${value.map((item) => pythonJson(item, level + 1)).join(', ')}]`;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}: ${pythonJson(member, level + 1)}`).join(', ')}}`;
}
