import { membersIn } from '../patroni/cluster-members.js';
import { nodeIn } from '../patroni/node-facts.js';
import { leaderRoute } from '../patroni/routes.js';
import { describeFailure, describeNotFresh } from '../patroni/snapshot-text.js';
import { readAt } from '../patroni/snapshot.js';
import type { Answer, CanonicalRoute, Snapshot } from '../patroni/types.js';
import type { Recording } from '../flight-recorder/types.js';
import type { LastCheck } from '../http/types.js';
import type { RoutePlan } from '../streams/cache.js';
import type { WitnessState } from '../witness/types.js';
import { judge } from '../witness/verdict.js';
import { version } from '../version.js';
import type { History } from './history.js';
import type { CheckReport, KeyReport, Moment, NodeState, RouteReport, StatusReport, WitnessReport } from './types.js';

/** The route whose answer has the members of the cluster. */
export const CLUSTER_ROUTE = '/cluster' as CanonicalRoute;

/** If nobody has asked for so long, the page says so. HAProxy asks every few seconds. */
const UNASKED_MS = 60_000;

/** Where the report gets its facts. Durations and moments are in milliseconds. */
export interface StatusSources {
  readonly cache: RoutePlan & {
    routes(): readonly CanonicalRoute[];
    latest(route: CanonicalRoute): Snapshot | undefined;
  };
  readonly history: Pick<History, 'pastOf' | 'changes' | 'answeredAtMs' | 'facts' | 'lastReload'>;
  readonly lastCheck: (route: CanonicalRoute) => LastCheck | undefined;
  readonly warnings: () => readonly string[];
  readonly upstream: () => string;
  readonly witness: () => WitnessState | undefined;
  /** The names of cluster and node, as the configuration of the witness has them. */
  readonly configured: () => { readonly scope?: string; readonly name?: string };
  /** What the flight recorder has recorded last. */
  readonly recording: () => Recording | undefined;
  /** Since when Patroni is frozen, by the clock of snapshots. */
  readonly frozenSinceMs: () => number | undefined;
  /** When certificates end, on the wall clock. */
  readonly certificateEnds: () => ReadonlyMap<string, number>;
  /** Where the status page of a host may be; `undefined` if there is no saying. */
  readonly pageAt: (host: string) => string | undefined;
  readonly ttlMsOf: (route: CanonicalRoute) => number;
  /** When this patroniglue was started, by the clock of snapshots. */
  readonly startedAtMs: number;
  /** The clock of snapshots. */
  readonly nowMs: () => number;
  readonly wallMs: () => number;
}

/** A route as it is at the moment of the report. */
interface RouteNow {
  readonly route: CanonicalRoute;
  readonly learned: boolean;
  readonly snapshot: Snapshot;
}

/** The facts of one moment. */
interface Now extends StatusSources {
  readonly now: number;
  readonly routes: readonly RouteNow[];
  readonly momentOf: (atMs: number) => Moment;
}

/** The facts as they are now. */
export function statusReport(sources: StatusSources): StatusReport {
  const { cache, history, warnings, upstream, certificateEnds, startedAtMs, nowMs, wallMs } = sources;
  const [now, wallNow] = [nowMs(), wallMs()];
  const momentOf = (atMs: number): Moment => ({ at: iso(wallNow - (now - atMs)), 'ago-ms': Math.round(now - atMs) });
  const routes = cache.routes().map((route): RouteNow => {
    const latest = cache.latest(route) ?? { kind: 'pending', sinceMs: now };
    return { route, learned: !cache.prefetched.includes(route), snapshot: readAt(latest, now) };
  });
  const facts: Now = { ...sources, now, routes, momentOf };
  const started = momentOf(startedAtMs);
  const reload = history.lastReload();
  const recorded = sources.recording();
  const eventsOf = (which: 'prefetched' | 'learned') =>
    history.changes(which).map(({ atMs, text }) => ({ at: iso(atMs), text }));
  return {
    version,
    at: iso(wallNow),
    upstream: upstream(),
    ready: routes.every(({ learned, snapshot }) => learned || snapshot.kind === 'fresh'),
    state: stateOf(routes),
    started: started.at,
    'uptime-ms': started['ago-ms'],
    ...(reload && { reload: { at: iso(reload.atMs), result: reload.result, text: reload.text } }),
    warnings: warnings(),
    ...witnessReport(facts),
    ...patroniReport(facts),
    ...nodeReport(facts),
    ...keyReport(facts),
    ...checksReport(facts),
    routes: routes.map((each) => routeReport(each, facts)),
    ...clusterReport(facts),
    ...(recorded && { 'flight-recording': recorded }),
    certificates: [...certificateEnds()].map(([certificate, endsMs]) => ({ certificate, ends: iso(endsMs) })),
    changes: eventsOf('prefetched'),
    'learned-changes': eventsOf('learned'),
  };
}

function stateOf(routes: readonly RouteNow[]): NodeState {
  if (routes.some(({ learned, snapshot }) => !learned && snapshot.kind !== 'fresh')) return 'no-fresh-answer';
  if (routes.some(({ snapshot }) => isByWitness(snapshot))) return 'witness';
  const leads = routes.some(
    ({ route, snapshot }) =>
      leaderRoute(route) === 'leader-only' && snapshot.kind === 'fresh' && snapshot.answer.status === 200,
  );
  return leads ? 'leader' : 'standby';
}

const isByWitness = (snapshot: Snapshot): boolean => snapshot.kind === 'fresh' && snapshot.witness !== undefined;

function witnessReport({ witness, routes, history }: Now): { readonly witness?: WitnessReport } {
  const state = witness();
  if (state === undefined) return {};
  const active = routes.some(({ snapshot }) => isByWitness(snapshot));
  const facts = active ? history.facts() : undefined;
  const [leading] = routes.flatMap(({ route, learned, snapshot }) =>
    !learned && leaderRoute(route) === 'leader-only' && snapshot.kind === 'fresh' && snapshot.witness
      ? [{ route, status: snapshot.answer.status, why: snapshot.witness.why }]
      : [],
  );
  return {
    witness: {
      ...{ state: state.kind, ...('message' in state && { message: state.message }), active },
      ...(facts && { leader: facts.keys.leader?.value ?? null, 'member-key': facts.member !== undefined }),
      ...(leading && { 'leader-route': leading }),
    },
  };
}

function patroniReport({ history, frozenSinceMs, momentOf }: Now): Pick<StatusReport, 'patroni'> {
  const [answeredAtMs, frozenAtMs] = [history.answeredAtMs(), frozenSinceMs()];
  return {
    patroni: {
      ...(answeredAtMs !== undefined && { answered: momentOf(answeredAtMs) }),
      ...(frozenAtMs !== undefined && { frozen: momentOf(frozenAtMs) }),
    },
  };
}

/** The facts about the node from the newest answer that has any. */
function nodeReport({ routes, configured, history, momentOf }: Now): Pick<StatusReport, 'node' | 'node-asked'> {
  const answers: { readonly answer: Answer; readonly sentAtMs: number }[] = routes
    .map(({ snapshot }) => snapshot)
    .filter((snapshot) => snapshot.kind !== 'pending');
  const found = [...answers]
    .sort((a, b) => b.sentAtMs - a.sentAtMs)
    .map(({ answer, sentAtMs }) => ({ node: nodeIn(answer), sentAtMs }))
    .find(({ node }) => node.role !== undefined);
  if (found === undefined) {
    const isWitnessed = routes.some(({ snapshot }) => isByWitness(snapshot));
    const name = isWitnessed ? history.facts()?.name : undefined; // of a node whose own key has expired
    return { node: name === undefined ? {} : { ...configured(), name } };
  }
  return {
    node: { ...configured(), ...found.node }, // the witness does not say the scope, nor does a Patroni before 3.2 say its name
    'node-asked': momentOf(found.sentAtMs),
  };
}

/** By Patroni's answers while they are fresh, otherwise by the witness while checks get what it says. */
function keyReport({ routes, history, now }: Now): { readonly key?: KeyReport } {
  const safe = (by: KeyReport['by'], endsAtMs: number | undefined): { readonly key?: KeyReport } =>
    endsAtMs === undefined ? {} : { key: { 'safe-ms': Math.max(0, Math.round(endsAtMs - now)), by } };
  const leases = routes.flatMap(({ route, snapshot }) => {
    const isSaidByPatroni = snapshot.kind === 'fresh' && snapshot.witness === undefined;
    const lease = isSaidByPatroni && snapshot.answer.status === 200 ? history.pastOf(route).lease : undefined;
    return lease ? [lease.endsAtMs] : [];
  });
  if (leases.length > 0) return safe('lease-guard', Math.max(...leases));
  const leading = routes.find(
    ({ route, snapshot }) =>
      leaderRoute(route) !== undefined &&
      snapshot.kind === 'fresh' &&
      snapshot.witness &&
      snapshot.answer.status === 200,
  );
  const facts = history.facts();
  const verdict = leading && facts && judge('/leader' as CanonicalRoute, facts, Infinity, now); // by the lease alone
  return safe('witness', verdict?.status === 200 ? verdict.endsAtMs : undefined);
}

function checksReport({
  routes,
  lastCheck,
  startedAtMs,
  now,
  momentOf,
}: Now): Pick<StatusReport, 'last-check' | 'nobody-asks-for'> {
  const checked = routes.flatMap(({ route }) => {
    const check = lastCheck(route);
    return check ? [{ route, check }] : [];
  });
  const [last] = [...checked].sort((a, b) => b.check.atMs - a.check.atMs);
  const ofPrimary = routes.filter(({ route }) => leaderRoute(route) === 'leader-only');
  const unasked = ofPrimary.find(({ learned }) => !learned);
  const isAsked = [startedAtMs, ...ofPrimary.map(({ route }) => lastCheck(route)?.atMs ?? -Infinity)].some(
    (atMs) => now - atMs < UNASKED_MS,
  );
  return {
    ...(last && { 'last-check': { route: last.route, ...checkReport(last.check, momentOf) } }),
    ...(unasked && !isAsked && { 'nobody-asks-for': unasked.route }),
  };
}

function checkReport({ address, atMs }: LastCheck, momentOf: Now['momentOf']): CheckReport {
  return { ...(address !== undefined && { from: address }), ...momentOf(atMs) };
}

function routeReport({ route, learned, snapshot }: RouteNow, facts: Now): RouteReport {
  const { history, lastCheck, ttlMsOf, now, momentOf } = facts;
  const { polls, lastFailure } = history.pastOf(route);
  const check = lastCheck(route);
  return {
    route,
    learned,
    state: snapshot.kind,
    ...(snapshot.kind !== 'pending' && {
      status: snapshot.answer.status,
      'age-ms': Math.round(now - snapshot.sentAtMs),
    }),
    'ttl-ms': ttlMsOf(route),
    ...(snapshot.kind !== 'fresh' && { reason: describeNotFresh(snapshot, now) }),
    ...(snapshot.kind === 'stale' && snapshot.lease && !snapshot.failures && { 'by-lease-guard': true as const }),
    ...(snapshot.kind !== 'pending' && snapshot.witness && { witness: snapshot.witness.why }),
    ...(check && { 'last-check': checkReport(check, momentOf) }),
    ...(lastFailure && { 'last-failure': { at: iso(lastFailure.atMs), text: describeFailure(lastFailure) } }),
    polls: polls.map(({ tookMs, answered }) => ({ tookMs: Math.round(tookMs * 10) / 10, answered })),
  };
}

function clusterReport(facts: Now): Pick<StatusReport, 'cluster' | 'no-place-for-cluster'> {
  const { routes, cache } = facts;
  const snapshot = routes.find(({ route }) => route === CLUSTER_ROUTE)?.snapshot;
  const learned = routes.filter((route) => route.learned).length;
  if (snapshot === undefined) return learned < cache.maxLearned ? {} : { 'no-place-for-cluster': learned };
  if (snapshot.kind === 'pending' || snapshot.answer.status !== 200) return {};
  const { name } = nodeReport(facts).node;
  const members = membersIn(snapshot.answer).map((member) => {
    const isThisNode = member.name === name;
    const host = member['api-host'];
    const page = isThisNode || host === undefined ? undefined : facts.pageAt(host);
    return { ...member, 'this-node': isThisNode, ...(page !== undefined && { page }) };
  });
  return { cluster: { ...facts.momentOf(snapshot.sentAtMs), fresh: snapshot.kind === 'fresh', members } };
}

const iso = (wallMs: number): string => new Date(wallMs).toISOString();
