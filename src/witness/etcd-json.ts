import { type JsonObject, isObject, jsonObject, objectIn } from '../patroni/json-body.js';
import type { LeaseLife, LeasedKey, NodeKeys } from './types.js';

/** What a body holds, or in words why patroniglue cannot use it. */
export type Reading<T> =
  { readonly kind: 'read'; readonly value: T } | { readonly kind: 'problem'; readonly problem: string };

/** A key as etcd stores it. */
interface StoredKey {
  readonly value: string;
  /** The ID of the key's lease, in decimal digits: it has 64 bits, and no JavaScript number holds all of them. */
  readonly leaseId?: string;
}

/** The keys of a node as etcd stores them. A key that does not exist is absent. */
export type StoredKeys = Partial<Readonly<Record<KeyName, StoredKey>>>;

/** The keys in the order in which etcd is asked for them. */
const KEY_NAMES = ['leader', 'member', 'config', 'status', 'sync', 'initialize'] as const;

type KeyName = (typeof KEY_NAMES)[number];

/** The paths of etcd's JSON gateway that patroniglue asks, from etcd 3.4 on. None of them writes anything. */
export const ETCD_PATHS = {
  txn: '/v3/kv/txn',
  timeToLive: '/v3/lease/timetolive',
  authenticate: '/v3/auth/authenticate',
} as const;

/** The longest time to live that etcd grants, in seconds (`MaxLeaseTTL` in etcd's `lessor.go`). */
const MAX_GRANTED_S = 9_000_000_000;

/** The longest election timeout of etcd, in seconds. */
const MAX_ELECTION_S = 50;

/** A status of gRPC (`google.golang.org/grpc/codes`), as the gateway gives it in the body of an error. */
export const GRPC = { invalidArgument: 3, permissionDenied: 7, failedPrecondition: 9, unauthenticated: 16 } as const;

/** The most characters of a text from a body that a message shows. */
const MAX_SHOWN = 160;

/**
 * The body of the one question for all keys of a node, for {@link ETCD_PATHS}.txn. The transaction only reads. Its ranges are
 * linearizable, which is etcd's default: on a member without a quorum they fail. Serializable ranges would not: such a member
 * said for seconds that a key is there which had lapsed.
 *
 * @param key where the cluster's keys are: `/service/main`
 * @param name the node's name in Patroni
 */
export function keysQuestion(key: string, name: string): string {
  const success = pathsOf(key, name).map((path) => ({ request_range: { key: base64(path) } }));
  return JSON.stringify({ success });
}

/** The keys in etcd's response to {@link keysQuestion}. Never throws. */
export function readKeys(body: Buffer, key: string, name: string): Reading<StoredKeys> {
  const response = jsonObject(body);
  if (response === undefined) return problem('no JSON object');
  const { responses, succeeded } = response;
  if (succeeded !== true) return problem('a transaction that did not succeed');
  const paths = pathsOf(key, name);
  if (!Array.isArray(responses) || responses.length !== paths.length) {
    return problem(`no list of ${paths.length} ranges`);
  }
  const keys: Partial<Record<KeyName, StoredKey>> = {};
  for (const [index, keyName] of KEY_NAMES.entries()) {
    const path = paths[index] ?? '';
    const reading = readRange(responses[index], path);
    if (reading.kind === 'problem') return problem(`${path}: ${reading.problem}`);
    if (reading.value) keys[keyName] = reading.value;
  }
  return read(keys);
}

/**
 * The IDs of the leases that matter: that of the node's own key, and that of the leader key if it names the node. Patroni
 * usually puts both keys under one lease.
 */
export function leasesOf({ leader, member }: StoredKeys, name: string): readonly string[] {
  const ids = [member?.leaseId, leader?.value === name ? leader.leaseId : undefined];
  return [...new Set(ids.filter((id) => id !== undefined))];
}

/** The body of the question for the life of a lease, for {@link ETCD_PATHS}.timeToLive. It does not prolong the lease. */
export function leaseQuestion(id: string): string {
  return JSON.stringify({ ID: id });
}

/**
 * The life of a lease in etcd's response to {@link leaseQuestion}; `undefined` if it is gone, or if its life is not between 0
 * and what was granted. Never throws.
 *
 * The gateway writes numbers as texts, and leaves out those that are 0. It says `"-1"` of a lease that is gone. A lease that
 * ran out may say a negative number until etcd has revoked it; `9223372036` was possible, too (etcd issue 17642).
 *
 * A new leader of etcd extends every lease by its election timeout, which is at most 50 s (`maxElectionMs` in etcd's
 * `embed/config.go`): for so long, the rest is more than what was granted. What was granted is then a lower bound.
 */
export function readLease(body: Buffer, id: string): Reading<LeaseLife | undefined> {
  const response = jsonObject(body);
  if (response === undefined) return problem('no JSON object');
  if (response['ID'] !== id) return problem('the life of another lease');
  const grantedS = seconds(response['grantedTTL']);
  const remainingS = response['TTL'] === undefined ? 0 : seconds(response['TTL']);
  if (grantedS === undefined || remainingS === undefined) return read(undefined);
  if (grantedS > MAX_GRANTED_S || remainingS > grantedS + MAX_ELECTION_S) return read(undefined);
  return read({ remainingMs: Math.min(remainingS, grantedS) * 1000, grantedMs: grantedS * 1000 });
}

/** The keys of a node with the lives of their leases. A key whose lease is not among them has none. */
export function nodeKeys(stored: StoredKeys, lives: ReadonlyMap<string, LeaseLife>): NodeKeys {
  const { leader, member, config, status, sync, initialize } = stored;
  const leased = ({ value, leaseId }: StoredKey): LeasedKey => {
    const lease = leaseId === undefined ? undefined : lives.get(leaseId);
    return { value, ...(lease && { lease }) };
  };
  return {
    ...(leader && { leader: leased(leader) }),
    ...(member && { member: leased(member) }),
    ...(config && { config: config.value }),
    ...(status && { status: status.value }),
    ...(sync && { sync: sync.value }),
    ...(initialize && { initialize: initialize.value }),
  };
}

/** The body of the question for a token, for {@link ETCD_PATHS}.authenticate. */
export function tokenQuestion(username: string, password: string): string {
  return JSON.stringify({ name: username, password });
}

/** The token in etcd's response to {@link tokenQuestion}, fit for a header. Never throws. */
export function readToken(body: Buffer): Reading<string> {
  const token = jsonObject(body)?.['token'];
  return typeof token === 'string' && /^[\x21-\x7e]{1,8192}$/.test(token) ? read(token) : problem('no token');
}

/** An error as etcd's gateway tells it. */
export interface EtcdError {
  /** The status of gRPC; `undefined` if the body is not etcd's. */
  readonly code: number | undefined;
  /** Printable and short; empty if the body has none. */
  readonly message: string;
}

/**
 * The error in the body of a response that is no success. Never throws.
 *
 * @param secrets not shown, even if the body has them
 */
export function readError(body: Buffer, secrets: readonly string[] = []): EtcdError {
  const { code, message, error } = objectIn(jsonObject(body));
  const text = [message, error].find((one) => typeof one === 'string') ?? '';
  const shown = secrets
    .filter((secret) => secret !== '')
    .reduce((rest, secret) => rest.replaceAll(secret, '***'), text);
  return { code: typeof code === 'number' ? code : undefined, message: printable(shown) };
}

function readRange(response: unknown, path: string): Reading<StoredKey | undefined> {
  const range = objectIn(response)['response_range'];
  if (!isObject(range)) return problem('no range');
  const { kvs = [] } = range;
  if (!Array.isArray(kvs) || kvs.length > 1) return problem('no list of one key');
  if (kvs.length === 0) return read(undefined);
  return readKey(objectIn(kvs[0]), path);
}

function readKey({ key, value = '', lease }: JsonObject, path: string): Reading<StoredKey> {
  if (key !== base64(path)) return problem('another key');
  const text = textOf(value);
  if (text === undefined) return problem('a value that is no text');
  if (lease === undefined || lease === '0') return read({ value: text });
  if (typeof lease !== 'string' || !/^-?\d{1,19}$/.test(lease)) return problem('a lease that is no number');
  return read({ value: text, leaseId: lease });
}

function pathsOf(key: string, name: string): readonly string[] {
  return KEY_NAMES.map((keyName) => (keyName === 'member' ? `${key}/members/${name}` : `${key}/${keyName}`));
}

/** Whole seconds from 0 on, written as text. */
function seconds(value: unknown): number | undefined {
  return typeof value === 'string' && /^\d{1,19}$/.test(value) ? Number(value) : undefined;
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

/** The text in a value of the gateway; `undefined` if it is not base64, or not UTF-8. */
function textOf(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  const bytes = Buffer.from(value, 'base64');
  if (bytes.toString('base64') !== value) return undefined; // Node skips what is no base64
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function printable(text: string): string {
  const [shown, whole] = [text.slice(0, MAX_SHOWN).replace(/[^\x20-\x7e]/g, '?'), text.length <= MAX_SHOWN];
  return whole ? shown : `${shown}...`;
}

function read<T>(value: T): Reading<T> {
  return { kind: 'read', value };
}

function problem(words: string): { readonly kind: 'problem'; readonly problem: string } {
  return { kind: 'problem', problem: words };
}
