import { type JsonObject, jsonObject, numberIn, objectIn, textIn } from './json-body.js';
import type { Answer } from './types.js';

/** A member of the cluster, as `/cluster` describes it. What the answer does not say, or says in another type, is left out. */
export interface ClusterMember {
  readonly name: string;
  readonly role?: string;
  readonly state?: string;
  readonly timeline?: number;
  /** In bytes; a text such as `unknown` if Patroni does not know it. */
  readonly lag?: number | string;
  /** The host of Patroni's REST API: a name, or an address without brackets. */
  readonly 'api-host'?: string;
}

/** The most members that are read: a program at Patroni's address may name any number. */
const MOST_MEMBERS = 64;

/** The most characters of a text. */
const MOST_CHARACTERS = 120;

/** The largest body that is parsed. */
const MOST_BYTES = 262_144;

/**
 * Reads the body of `/cluster` (`do_GET_cluster` in `patroni/api.py`, `cluster_as_json` in `patroni/utils.py`, 3.0.2 and 4.1).
 * Never throws, whatever the body is.
 */
export function membersIn({ body }: Pick<Answer, 'body'>): readonly ClusterMember[] {
  if (body.length > MOST_BYTES) return [];
  const members = jsonObject(body)?.['members'];
  if (!Array.isArray(members)) return [];
  return members.slice(0, MOST_MEMBERS).flatMap((member) => memberIn(objectIn(member)));
}

function memberIn(said: JsonObject): readonly ClusterMember[] {
  const name = shortTextIn(said['name']);
  if (name === undefined) return [];
  const found: Partial<Record<keyof ClusterMember, unknown>> = {
    name,
    role: shortTextIn(said['role']),
    state: shortTextIn(said['state']),
    timeline: numberIn(said['timeline']),
    lag: numberIn(said['lag']) ?? shortTextIn(said['lag']),
    'api-host': hostIn(said['api_url']),
  };
  return [
    Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined)) as unknown as ClusterMember,
  ];
}

/** Only a host of the usual letters: the page makes a link of it. */
function hostIn(apiUrl: unknown): string | undefined {
  if (typeof apiUrl !== 'string' || !URL.canParse(apiUrl)) return undefined;
  const host = new URL(apiUrl).hostname.replace(/^\[(.*)\]$/, '$1');
  return /^[a-z0-9.:_-]{1,253}$/i.test(host) ? host : undefined;
}

function shortTextIn(value: unknown): string | undefined {
  return textIn(value)?.slice(0, MOST_CHARACTERS);
}
