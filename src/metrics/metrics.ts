import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { createRouteCounters } from './route-counters.js';
import { textReply } from '../http/reply.js';
import type { Reload } from '../config/types.js';
import type { Change } from '../streams/changes.js';
import type { WitnessRead } from '../witness/types.js';
import { version } from '../version.js';
import { registerCounts } from './counts.js';
import { registerGauges } from './gauges.js';
import { registerProcess } from './process-metrics.js';
import type { CanonicalRoute, FailureReason, PollOutcome } from '../patroni/types.js';
import type { MetricSources } from './types.js';
import { createWitnessMetrics } from './witness-metrics.js';
import type { Reply } from '../http/types.js';

/** The metrics at `/-/metrics`, and the functions to call when something happens. */
export interface Metrics {
  readonly polled: (route: CanonicalRoute, outcome: PollOutcome) => void;
  readonly witnessRead: (read: WitnessRead) => void;
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
/** Counted from 0 on, so that Prometheus sees the first freeze as an increase. In a freeze, few polls fail: Patroni is spared. */
const USUAL_REPLIES = [200, 503, 'stale'] as const;
const USUAL_OUTCOMES = ['answered', 'timed-out', 'refused'] as const;

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
  registerGauges(registry, sources);
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
  const witness = createWitnessMetrics(sources);
  const registriesInForce = (): readonly Registry[] =>
    sources.witness.state() === undefined ? [registry] : [registry, witness.registry];

  let page: Promise<Reply> | undefined;
  return {
    polled(route, outcome) {
      for (const usual of USUAL_OUTCOMES) polls.begin(route, usual);
      polls.count(route, outcome.kind === 'answered' ? 'answered' : outcome.failure.reason);
      duration.observe({ route }, (outcome.endedAtMs - outcome.sentAtMs) / 1000);
    },
    witnessRead: witness.read,
    changed(change) {
      const { kind, route } = change;
      if (kind === 'reply-changed') {
        const { to } = change;
        for (const usual of USUAL_REPLIES) transitions.begin(route, usual);
        transitions.count(route, to.kind === 'fresh' ? to.answer.status : to.kind);
      }
      if (kind === 'route-forgotten') {
        const { checks, agentChecks, witnessedChecks } = sources;
        for (const counts of [polls, transitions, checks, agentChecks, witnessedChecks]) counts.forget(route);
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
      page ??= Promise.all(registriesInForce().map((each) => each.metrics()))
        .then((texts) => textReply(200, texts.join('\n'), registry.contentType))
        .finally(() => {
          page = undefined;
        });
      return page;
    },
  };
}
