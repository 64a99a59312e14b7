import { describeFailure, describeNotFresh } from '../patroni/snapshot-text.js';
import { readAt } from '../patroni/snapshot.js';
import type { RoutePlan } from '../streams/cache.js';
import type { WitnessState } from '../witness/types.js';
import { version } from '../version.js';
import type { History, PastPoll } from './history.js';
import { type NodeReport, nodeIn } from '../patroni/node-facts.js';
import type { Answer, Snapshot, CanonicalRoute } from '../patroni/types.js';

/** Everything that the status page shows. Moments are in ISO 8601, durations in milliseconds. */
export interface StatusReport {
  readonly version: string;
  readonly at: string;
  readonly upstream: string;
  /** Every prefetched route is fresh. */
  readonly ready: boolean;
  readonly warnings: readonly string[];
  /** The witness, if the configuration has one. */
  readonly witness?: WitnessReport;
  readonly node: NodeReport;
  readonly routes: readonly RouteReport[];
  /** Newest first. */
  readonly changes: readonly { readonly at: string; readonly text: string }[];
}

/** The facts about the witness. */
export interface WitnessReport {
  readonly state: WitnessState['kind'];
  /** Why it is not used. */
  readonly message?: string;
  /** Checks get replies by the witness now, because Patroni does not answer. */
  readonly active: boolean;
}

/** The facts about a route. */
export interface RouteReport {
  readonly route: string;
  readonly learned: boolean;
  readonly state: Snapshot['kind'];
  /** The status of the latest answer, fresh or not. While it is fresh, patroniglue answers checks with it. */
  readonly status?: number;
  readonly 'age-ms'?: number;
  readonly 'ttl-ms': number;
  /** Why there is no fresh answer. */
  readonly reason?: string;
  /** The answer comes from the witness, for this reason. */
  readonly witness?: string;
  readonly 'last-failure'?: { readonly at: string; readonly text: string };
  /** Oldest first. */
  readonly polls: readonly PastPoll[];
}

/** Where the report gets its facts. */
export interface StatusSources {
  readonly cache: RoutePlan & {
    routes(): readonly CanonicalRoute[];
    latest(route: CanonicalRoute): Snapshot | undefined;
  };
  readonly history: Pick<History, 'pastOf' | 'changes'>;
  readonly warnings: () => readonly string[];
  readonly upstream: () => string;
  readonly witness: () => WitnessState | undefined;
  readonly ttlMsOf: (route: CanonicalRoute) => number;
  /** The clock of snapshots. */
  readonly nowMs: () => number;
  readonly wallMs: () => number;
}

/** The facts as they are now. */
export function statusReport(sources: StatusSources): StatusReport {
  const { cache, history, warnings, upstream, nowMs, wallMs } = sources;
  const now = nowMs();
  const routes = cache.routes().map((route) => {
    const latest = cache.latest(route) ?? { kind: 'pending', sinceMs: now };
    return { route, snapshot: readAt(latest, now) };
  });
  const reports = routes.map(({ route, snapshot }) => routeReport(route, snapshot, sources));
  return {
    version,
    at: iso(wallMs()),
    upstream: upstream(),
    ready: reports.every(({ learned, state }) => learned || state === 'fresh'),
    warnings: warnings(),
    ...witnessReport(sources.witness(), reports),
    node: nodeReport(routes.map(({ snapshot }) => snapshot)),
    routes: reports,
    changes: history.changes().map(({ atMs, text }) => ({ at: iso(atMs), text })),
  };
}

function witnessReport(
  state: WitnessState | undefined,
  routes: readonly RouteReport[],
): { readonly witness?: WitnessReport } {
  if (state === undefined) return {};
  const active = routes.some((route) => route.state === 'fresh' && route.witness !== undefined);
  return { witness: { state: state.kind, ...('message' in state && { message: state.message }), active } };
}

function routeReport(
  route: CanonicalRoute,
  snapshot: Snapshot,
  { cache, history, ttlMsOf, nowMs }: StatusSources,
): RouteReport {
  const now = nowMs();
  const { polls, lastFailure } = history.pastOf(route);
  return {
    route,
    learned: !cache.prefetched.includes(route),
    state: snapshot.kind,
    ...(snapshot.kind !== 'pending' && {
      status: snapshot.answer.status,
      'age-ms': Math.round(now - snapshot.sentAtMs),
    }),
    'ttl-ms': ttlMsOf(route),
    ...(snapshot.kind !== 'fresh' && { reason: describeNotFresh(snapshot, now) }),
    ...(snapshot.kind !== 'pending' && snapshot.witness && { witness: snapshot.witness.why }),
    ...(lastFailure && { 'last-failure': { at: iso(lastFailure.atMs), text: describeFailure(lastFailure) } }),
    polls: polls.map(({ tookMs, answered }) => ({ tookMs: Math.round(tookMs * 10) / 10, answered })),
  };
}

/** The facts about the node from the newest answer that has any. */
function nodeReport(snapshots: readonly Snapshot[]): NodeReport {
  const answers: { readonly answer: Answer; readonly sentAtMs: number }[] = snapshots.filter(
    (snapshot) => snapshot.kind !== 'pending',
  );
  const facts = [...answers].sort((a, b) => b.sentAtMs - a.sentAtMs).map(({ answer }) => nodeIn(answer));
  return facts.find(({ role }) => role !== undefined) ?? {};
}

const iso = (wallMs: number): string => new Date(wallMs).toISOString();
