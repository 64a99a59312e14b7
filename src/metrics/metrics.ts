import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { CertificateOwner } from '../streams/certificate-watch.js';
import { type RouteCounters, createRouteCounters } from './route-counters.js';
import type { Breakage, Tally } from '../http/broken-connection.js';
import { textReply } from '../http/reply.js';
import type { Reload } from '../config/types.js';
import { readAt } from '../patroni/snapshot.js';
import type { RoutePlan } from '../streams/cache.js';
import type { Change } from '../streams/changes.js';
import { version } from '../version.js';
import { registerProcess } from './process-metrics.js';
import type { FailureReason, PollOutcome, Snapshot, CanonicalRoute } from '../patroni/types.js';
import type { Reply } from '../http/types.js';
import type { AgentState } from '../agent-check/types.js';

/** Values that are kept elsewhere, and read when Prometheus asks. Times are in milliseconds. */
export interface MetricSources {
  readonly cache: RoutePlan & {
    routes(): readonly CanonicalRoute[];
    latest(route: CanonicalRoute): Snapshot | undefined;
  };
  /** The clock of snapshots. */
  readonly nowMs: () => number;
  /** Answered checks, by status. */
  readonly checks: RouteCounters<number>;
  /** Answered agent checks, by the state that the reply sets for the server. */
  readonly agentChecks: RouteCounters<AgentState>;
  /** Connections that ended before they were a request, by reason. */
  readonly broken: Pick<Tally<Breakage>, 'entries'>;
  /** Open connections of clients, and the most that may be open. */
  readonly connections: { readonly open: number; readonly max: number };
  /** Since when Patroni is frozen, on the clock of `nowMs`; `undefined` while it is not. */
  readonly frozenSinceMs: () => number | undefined;
  readonly droppedLogLines: () => number;
  /** How many files this process has open; `undefined` where that cannot be counted. */
  readonly openFiles: () => number | undefined;
  readonly cacheTtlMs: () => number;
  /** The largest safe `cache.ttl`; `undefined` while Patroni's timings are not known. */
  readonly safeTtlMs: () => number | undefined;
  /** When certificates end, on the wall clock, in milliseconds. */
  readonly certificateEnds: () => ReadonlyMap<CertificateOwner, number>;
  /** Whether this is a standby cluster, in which no node is primary; `undefined` while it is not known. */
  readonly standbyCluster: () => boolean | undefined;
}

/** The metrics at `/-/metrics`, and the functions to call when something happens. */
export interface Metrics {
  readonly polled: (route: CanonicalRoute, outcome: PollOutcome) => void;
  readonly changed: (change: Change) => void;
  readonly reloaded: (reload: Reload) => void;
  /** A client asked for polls at once. */
  readonly refreshed: () => void;
  /** `lagMs`: the longest delay of the event loop in a second. */
  readonly lagged: (lagMs: number) => void;
  /** The page. Requests that come while a page is being made share it. */
  readonly page: () => Promise<Reply>;
}

const POLL_BUCKETS_S = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const LAG_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** Names and units follow Prometheus' conventions; a test checks them with `promtool check metrics`. */
export function createMetrics(sources: MetricSources): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const polls = createRouteCounters<'answered' | FailureReason>();
  const transitions = createRouteCounters<number | 'pending' | 'stale'>();

  registerCounts(registry, 'patroniglue_polls_total', 'Polls of Patroni, by outcome.', 'outcome', polls);
  registerCounts(
    registry,
    'patroniglue_transitions_total',
    'Changes of the reply to checks, by the new reply.',
    'to',
    transitions,
  );
  registerCounts(
    registry,
    'patroniglue_checks_total',
    'Answered requests for a route; route "other" counts requests for any path that is not polled.',
    'status',
    sources.checks,
  );
  registerCounts(
    registry,
    'patroniglue_agent_checks_total',
    'Answered agent checks of HAProxy, by the state that the reply sets for the server.',
    'state',
    sources.agentChecks,
  );
  registerSnapshots(registry, sources);
  registerGauges(registry, sources);
  registerCertificates(registry, sources);
  registerProcess(registry, sources.openFiles);
  new Gauge({ name: 'patroniglue_build_info', help: 'Version.', labelNames: ['version', 'node'], registers }).set(
    { version, node: process.versions.node },
    1,
  );
  new Counter({
    name: 'patroniglue_log_lines_dropped_total',
    help: 'Log lines that patroniglue dropped, because nobody read them.',
    registers,
    collect() {
      this.reset();
      this.inc(sources.droppedLogLines());
    },
  });
  new Counter({
    name: 'patroniglue_broken_connections_total',
    help: 'Connections that ended before they were a request, by reason.',
    labelNames: ['reason'],
    registers,
    collect() {
      this.reset();
      for (const [reason, count] of sources.broken.entries()) this.inc({ reason }, count);
    },
  });
  const duration = new Histogram({
    name: 'patroniglue_poll_duration_seconds',
    help: 'Time from the beginning of a poll to its end, answered or not.',
    labelNames: ['route'],
    buckets: POLL_BUCKETS_S,
    registers,
  });
  const lag = new Histogram({
    name: 'patroniglue_event_loop_lag_seconds',
    help: 'The longest time in each second for which the event loop answered nobody.',
    buckets: LAG_BUCKETS_S,
    registers,
  });
  const reloads = new Counter({
    name: 'patroniglue_reloads_total',
    help: 'Reloads of the configuration and its certificates, by result.',
    labelNames: ['result'],
    registers,
  });
  const refreshes = new Counter({
    name: 'patroniglue_refreshes_total',
    help: 'Requests to poll Patroni at once that patroniglue accepted: POST /-/refresh.',
    registers,
  });
  for (const result of ['accepted', 'refused']) reloads.inc({ result }, 0);

  let page: Promise<Reply> | undefined;
  return {
    polled(route, outcome) {
      polls.count(route, outcome.kind === 'answered' ? 'answered' : outcome.failure.reason);
      duration.observe({ route }, (outcome.endedAtMs - outcome.sentAtMs) / 1000);
    },
    changed(change) {
      const { kind, route } = change;
      if (kind === 'reply-changed') {
        const { to } = change;
        transitions.count(route, to.kind === 'fresh' ? to.answer.status : to.kind);
      }
      if (kind === 'route-forgotten') {
        for (const counts of [polls, transitions, sources.checks, sources.agentChecks]) counts.forget(route);
        duration.remove({ route });
      }
    },
    reloaded({ kind }) {
      if (kind !== 'unchanged') reloads.inc({ result: kind });
    },
    refreshed() {
      refreshes.inc();
    },
    lagged(lagMs) {
      lag.observe(lagMs / 1000);
    },
    page() {
      page ??= registry
        .metrics()
        .then((text) => textReply(200, text, registry.contentType))
        .finally(() => {
          page = undefined;
        });
      return page;
    },
  };
}

function registerCounts<Key>(
  registry: Registry,
  name: string,
  help: string,
  label: string,
  counts: RouteCounters<Key>,
): void {
  new Counter({
    name,
    help,
    labelNames: ['route', label],
    registers: [registry],
    collect() {
      this.reset();
      for (const { route, key, count } of counts.entries()) this.inc({ route, [label]: String(key) }, count);
    },
  });
}

function registerSnapshots(registry: Registry, { cache, nowMs }: MetricSources): void {
  /** One value per route. A route without a value is left out: without an answer there is no age. */
  const register = (name: string, help: string, valueOf: (snapshot: Snapshot, nowMs: number) => number | undefined) =>
    new Gauge({
      name,
      help,
      labelNames: ['route'],
      registers: [registry],
      collect() {
        this.reset();
        for (const route of cache.routes()) {
          const latest = cache.latest(route);
          const now = nowMs();
          const value = latest && valueOf(readAt(latest, now), now);
          if (value !== undefined) this.set({ route }, value);
        }
      },
    });
  register(
    'patroniglue_snapshot_fresh',
    "1 if patroniglue answers checks with Patroni's answer, 0 if it answers them with its own 503.",
    ({ kind }) => (kind === 'fresh' ? 1 : 0),
  );
  register('patroniglue_snapshot_age_seconds', 'Time since the poll of the latest answer was sent.', (snapshot, now) =>
    snapshot.kind === 'pending' ? undefined : (now - snapshot.sentAtMs) / 1000,
  );
  register('patroniglue_snapshot_status', 'Status of the latest answer, fresh or stale.', (snapshot) =>
    snapshot.kind === 'pending' ? undefined : snapshot.answer.status,
  );
}

function registerCertificates(registry: Registry, { certificateEnds }: MetricSources): void {
  new Gauge({
    name: 'patroniglue_certificate_expiry_timestamp_seconds',
    help: 'When a certificate ends, in seconds since 1970: frontend, patroni, client (backend.certfile), ca (backend.cafile).',
    labelNames: ['certificate'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [certificate, endMs] of certificateEnds()) this.set({ certificate }, endMs / 1000);
    },
  });
}

function registerGauges(registry: Registry, sources: MetricSources): void {
  const { cache, connections, cacheTtlMs, safeTtlMs, standbyCluster, frozenSinceMs, nowMs } = sources;
  const register = (name: string, help: string, valueOf: () => number | undefined) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        const value = valueOf();
        if (value === undefined) this.remove();
        else this.set(value);
      },
    });
  register(
    'patroniglue_learned_routes',
    'Routes that patroniglue polls because a client asks for them.',
    () => cache.routes().length - cache.prefetched.length,
  );
  register(
    'patroniglue_learned_routes_limit',
    'The most learned routes at a time: cache.learn.',
    () => cache.maxLearned,
  );
  register('patroniglue_open_connections', 'Open connections of clients.', () => connections.open);
  register(
    'patroniglue_open_connections_limit',
    'The most open connections of clients at a time: one more ends the oldest.',
    () => connections.max,
  );
  register(
    'patroniglue_patroni_frozen_seconds',
    'How long Patroni has accepted connections and answered no poll; 0 while it answers.',
    () => {
      const sinceMs = frozenSinceMs();
      return sinceMs === undefined ? 0 : (nowMs() - sinceMs) / 1000;
    },
  );
  register(
    'patroniglue_standby_cluster',
    'Whether Patroni says that this is a standby cluster (1), in which no node is primary.',
    () => {
      const standby = standbyCluster();
      return standby === undefined ? undefined : Number(standby);
    },
  );
  register('patroniglue_cache_ttl_seconds', 'cache.ttl.', () => cacheTtlMs() / 1000);
  register(
    'patroniglue_cache_ttl_safe_seconds',
    "The largest safe cache.ttl: Patroni's ttl - loop_wait - retry_timeout.",
    () => {
      const safeMs = safeTtlMs();
      return safeMs === undefined ? undefined : safeMs / 1000;
    },
  );
}
