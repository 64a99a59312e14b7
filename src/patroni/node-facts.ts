import { type JsonObject, jsonObject, numberIn, objectIn, textIn } from './json-body.js';
import type { Answer } from './types.js';

/** What Patroni says about its node. A value that is missing or has the wrong type is left out. */
export interface NodeReport {
  readonly name?: string;
  readonly scope?: string;
  readonly role?: string;
  readonly state?: string;
  readonly timeline?: number;
  readonly 'patroni-version'?: string;
  readonly paused?: boolean;
  /** For a replica: the bytes that it has received and not replayed. */
  readonly lag?: string;
  /** Each standby that replicates from this node, with its state. */
  readonly standbys?: string;
}

/**
 * Reads the body of any of Patroni's health routes (`get_postgresql_status` and `write_status_response` in `patroni/api.py`,
 * 3.0.2 and 4.1). Never throws, whatever the body is.
 */
export function nodeIn({ body }: Answer): NodeReport {
  const status = jsonObject(body) ?? {};
  const patroni = objectIn(status['patroni']);
  const found: Record<keyof NodeReport, unknown> = {
    name: textIn(patroni['name']),
    scope: textIn(patroni['scope']),
    role: textIn(status['role']),
    state: textIn(status['state']),
    timeline: numberIn(status['timeline']),
    'patroni-version': textIn(patroni['version']),
    paused: status['pause'] === true ? true : undefined,
    lag: lagIn(status),
    standbys: standbysIn(status),
  };
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined));
}

function lagIn(status: JsonObject): string | undefined {
  const xlog = objectIn(status['xlog']);
  const [received, replayed] = [numberIn(xlog['received_location']), numberIn(xlog['replayed_location'])];
  return received === undefined || replayed === undefined
    ? undefined
    : `${Math.max(0, received - replayed)} bytes to replay`;
}

function standbysIn({ replication }: JsonObject): string | undefined {
  if (!Array.isArray(replication)) return undefined;
  const standbys = replication.map(objectIn).map((standby) => {
    const name = textIn(standby['application_name']) ?? 'a standby';
    return `${name} ${textIn(standby['state']) ?? ''}`.trim();
  });
  return standbys.length === 0 ? undefined : standbys.join(', ');
}
