import { type JsonObject, jsonObject, numberIn, objectIn } from '../patroni/json-body.js';
import { isAtLeast } from '../patroni/patroni-version.js';
import { isOn, isTruthy } from '../patroni/python-values.js';
import { lagBytes } from '../patroni/query.js';
import { partsOf } from '../patroni/routes.js';
import { ASSUMED_TIMINGS, type DynamicConfig, isStandbyCluster, timingsInForce } from '../patroni/timings-in-force.js';
import { toleratedMs } from '../patroni/timings.js';
import type { CanonicalRoute } from '../patroni/types.js';
import type { Facts, LeaseLife, Verdict } from './types.js';

/**
 * The verdict for a route, as Patroni itself would answer with the same keys (`do_GET` in `patroni/api.py`, 3.0.2 to 4.1.4).
 * `undefined` if the witness cannot know it: then nothing changes.
 *
 * A 200 that depends on the leader key ends at `asked + min(ttl, remaining - (T - L - R))`, with the rest of the key's lease
 * by etcd's clock, and Patroni's `ttl` T, `loop_wait` L and `retry_timeout` R. So load balancers keep T - L - R to leave the
 * node before its key can lapse, exactly as with the lease guard (`leader-lease.ts`). The 200 of a replica ends by the
 * lease of its member key. There, one more `loop_wait` is allowed: a replica's Patroni renews this lease only in every second
 * HA loop (`_do_refresh_lease` in `patroni/dcs/etcd3.py` before 4.1), and two replicas are no split brain.
 *
 * @param ttlMs `cache.ttl`
 * @param nowMs a 200 that has ended by now is a 503
 */
export function judge(route: CanonicalRoute, facts: Facts, ttlMs: number, nowMs: number): Verdict | undefined {
  const { path, query } = partsOf(route);
  const rule = RULES[path];
  const node = nodeOf(facts);
  const opinion = node && rule?.(node, query);
  if (opinion === undefined) return undefined;
  const evidenceEndsAtMs = facts.askedAtMs + ttlMs;
  const saysNo = (why: string): Verdict => ({ status: 503, endsAtMs: evidenceEndsAtMs, why });
  if (opinion.status === 503) return saysNo(opinion.why);
  if (facts.postgres === 'refuses') return saysNo('PostgreSQL accepts no connections');
  if (facts.postgres === 'silent') return undefined;
  if (opinion.endsAtMs <= nowMs) return saysNo(`${opinion.why}, but its lease was not renewed in time`);
  return { ...opinion, endsAtMs: Math.min(evidenceEndsAtMs, opinion.endsAtMs) };
}

/** An opinion on a route: `endsAtMs` is that of the lease alone. */
type Opinion = { readonly status: 200; readonly why: string; readonly endsAtMs: number } | No;

interface No {
  readonly status: 503;
  readonly why: string;
}

type Rule = (node: Node, query: URLSearchParams) => Opinion | undefined;

const no = (why: string): No => ({ status: 503, why });

/**
 * A rule for each route that the witness may answer. `/liveness` is missing on purpose: a restart by the kubelet mends a
 * frozen Patroni. `/readiness` differs from version to version, and the monitoring routes need Patroni itself.
 */
const RULES: Readonly<Record<string, Rule>> = {
  '/primary': primary,
  '/leader': leader,
  '/standby-leader': standbyLeader,
  '/replica': withTags(replica),
  '/read-only': withTags(readOnly(replica)),
  '/sync': withTags(synchronous),
  '/async': withTags(asynchronous),
  '/quorum': withTags(quorum),
  '/read-only-sync': withTags(readOnly(synchronous)),
  // before 4.0, Patroni took this path for a spelling of /read-only
  '/read-only-quorum': withTags((node, query) => readOnly(hasQuorum(node) ? quorum : replica)(node, query)),
  '/health': withTags(health),
};

/** True for the routes that the witness may answer. */
export function isWitnessed(route: CanonicalRoute): boolean {
  return partsOf(route).path in RULES;
}

/** Patroni's `loop_wait` by the facts, in milliseconds; Patroni's default if they do not tell. */
export function loopWaitMsOf({ keys, member }: Facts): number {
  const timings = timingsInForce(jsonObject(keys.config ?? '') ?? {}, memberVersion(member));
  return (timings ?? ASSUMED_TIMINGS).loopWaitMs;
}

/** The facts as the rules need them. */
interface Node {
  readonly name: string;
  readonly version: string | undefined;
  readonly config: DynamicConfig;
  /** The value of the leader key. */
  readonly leader: string | undefined;
  /** Until when the leader key counts, if it names this node; `undefined` if its lease is not known. */
  readonly leaderEndsAtMs: number | undefined;
  readonly memberEndsAtMs: number | undefined;
  readonly member: JsonObject;
  readonly leaderPosition: number;
  /** The names in the `sync` key, in lower case (Patroni compares without case, as PostgreSQL does). */
  readonly standbys: readonly string[];
}

/** `undefined` if the DCS does not have the configuration from which Patroni's timings follow, or if Patroni refuses it. */
function nodeOf({ name, askedAtMs, keys, member }: Facts): Node | undefined {
  const config = jsonObject(keys.config ?? '');
  const version = memberVersion(member);
  const timings = config && timingsInForce(config, version);
  if (config === undefined || timings === undefined) return undefined;
  const endOf = (life: LeaseLife | undefined, allowedMs = 0): number | undefined => {
    if (life === undefined) return undefined;
    const ttlMs = life.grantedMs;
    const keptMs = ttlMs - toleratedMs({ ...timings, ttlMs, failsafeMode: false }); // T - L - R
    return askedAtMs + life.remainingMs - Math.max(0, keptMs - allowedMs);
  };
  const sync = jsonObject(keys.sync ?? '');
  return {
    ...{ name, version, config, member: member ?? {} },
    leader: keys.leader?.value,
    leaderEndsAtMs: endOf(keys.leader?.lease),
    memberEndsAtMs: endOf(keys.member?.lease, timings.loopWaitMs),
    leaderPosition: numberIn(jsonObject(keys.status ?? '')?.['optime']) ?? 0,
    standbys: isTruthy(sync?.['leader']) ? namesIn(sync?.['sync_standby']) : [],
  };
}

/** Patroni's version in a member key. */
function memberVersion(member: JsonObject | undefined): string | undefined {
  const version = member?.['version'];
  return typeof version === 'string' ? version : undefined;
}

function leader({ name, leader: holder, leaderEndsAtMs }: Node): Opinion | undefined {
  if (holder === undefined) return no('no node holds the leader key');
  if (holder !== name) return no(`the leader key names ${holder}`);
  return yes('the leader key names this node', leaderEndsAtMs);
}

function primary(node: Node): Opinion | undefined {
  return isStandbyCluster(node.config) ? no('a standby cluster has no primary') : leader(node);
}

function standbyLeader(node: Node): Opinion | undefined {
  if (!isStandbyCluster(node.config)) return no('this is no standby cluster');
  const { role } = node.member;
  const isStandby = role === 'replica' || role === 'standby_leader';
  return leader(node)?.status === 200 && !isStandby ? no(`its role is ${wordOf(role)}`) : leader(node);
}

function replica(node: Node, query: URLSearchParams): Opinion | undefined {
  const { name, member, memberEndsAtMs, leader: holder } = node;
  if (holder === name) return no('the leader key names this node');
  const { state } = member;
  if (state !== 'running') return no(`its state is ${wordOf(state)}`);
  if (member['role'] !== 'replica') return no(`its role is ${wordOf(member['role'])}`);
  if (isTruthy(objectIn(member['tags'])['noloadbalance'])) return no('it has the tag noloadbalance');
  const lagging = isLagging(node, query.get('lag'));
  if (lagging === undefined) return undefined;
  if (lagging) return no('it lags behind the leader by more than that');
  // Patroni reads this key only after 4.1.4; before, it does not count. Whether it counts here is not sure.
  const wanted = query.get('replication_state');
  if (wanted !== null && wanted !== member['replication_state']) return undefined;
  return yes('it is a running replica', memberEndsAtMs);
}

function health({ member: { state } }: Node): Opinion {
  return state === 'running' ? yes('its state is running', Infinity) : no(`its state is ${wordOf(state)}`);
}

function synchronous(node: Node, query: URLSearchParams): Opinion | undefined {
  return isSynchronous(node) ? replica(node, query) : no('it is no synchronous standby');
}

function asynchronous(node: Node, query: URLSearchParams): Opinion | undefined {
  return isSynchronous(node) || isInQuorum(node) ? no('it is no asynchronous standby') : replica(node, query);
}

function quorum(node: Node, query: URLSearchParams): Opinion | undefined {
  return isInQuorum(node) ? replica(node, query) : no('it is no standby of the quorum');
}

/** The rule of a route that a leader answers with 200 as well. */
function readOnly(otherwise: Rule): Rule {
  return (node, query) => {
    const leading = isStandbyCluster(node.config) ? standbyLeader(node) : primary(node);
    return leading?.status === 503 ? otherwise(node, query) : leading;
  };
}

/** The rule of a route at which the query may ask for tags of the node. */
function withTags(rule: Rule): Rule {
  return (node, query) => {
    const opinion = rule(node, query);
    if (opinion?.status !== 200) return opinion;
    const tags = objectIn(node.member['tags']);
    const missing = [...query].find(([key, value]) => key.startsWith('tag_') && spelt(tags[key.slice(4)]) !== value);
    return missing ? no(`it does not have ${missing.join('=')}`) : opinion;
  };
}

/** A tag's value as Patroni compares it; `undefined` for a value that it does not compare as a text. */
function spelt(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'boolean' || typeof value === 'number' ? String(value).toLowerCase() : undefined;
}

/**
 * As `is_lagging` in `patroni/api.py`; `undefined` if only Patroni can tell. Patroni compares what the replica has replayed.
 * Before 4.1, the member key says only what it has received or replayed, whichever is more (`xlog_location`).
 */
function isLagging({ member, leaderPosition }: Node, lag: string | null): boolean | undefined {
  if (lag === null) return false;
  const most = lagBytes(lag);
  if (most === undefined) return undefined;
  const replayed = numberIn(member['replay_lsn']);
  const replayedAtMost = replayed ?? numberIn(member['xlog_location']) ?? 0;
  if (leaderPosition > replayedAtMost + most) return true;
  return leaderPosition <= (replayed ?? 0) + most ? false : undefined;
}

function hasQuorum({ version }: Node): boolean {
  return isAtLeast(version, [4, 0, 0]);
}

function isInQuorum(node: Node): boolean {
  return hasQuorum(node) && isQuorumMode(node) && isListed(node);
}

function isSynchronous(node: Node): boolean {
  if (hasQuorum(node) && isQuorumMode(node)) return false;
  return isOn(node.config['synchronous_mode']) && isListed(node);
}

function isQuorumMode({ config }: Node): boolean {
  const mode = config['synchronous_mode'];
  return typeof mode === 'string' && mode.toLowerCase() === 'quorum';
}

function isListed({ name, standbys, config }: Node): boolean {
  return !isStandbyCluster(config) && standbys.includes(name.toLowerCase());
}

function yes(why: string, endsAtMs: number): Opinion;
function yes(why: string, endsAtMs: number | undefined): Opinion | undefined;
function yes(why: string, endsAtMs: number | undefined): Opinion | undefined {
  return endsAtMs === undefined ? undefined : { status: 200, why, endsAtMs };
}

function namesIn(list: unknown): readonly string[] {
  return typeof list === 'string'
    ? list
        .toLowerCase()
        .split(',')
        .map((name) => name.trim())
    : [];
}

function wordOf(value: unknown): string {
  return typeof value === 'string' && value !== '' ? value.slice(0, 40) : 'not known';
}
