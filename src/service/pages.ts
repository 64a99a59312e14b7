import { isDeepStrictEqual } from 'node:util';
import { type BehaviorSubject, type Observable, Subject, distinctUntilChanged, map, skip } from 'rxjs';
import type { CertificateWatch } from '../streams/certificate-watch.js';
import { changedKeys } from '../config/changed-keys.js';
import type { Config, Reload } from '../config/types.js';
import { messageOf } from '../errors.js';
import { pageRefusal } from '../http/access.js';
import type { LastChecks } from '../http/last-checks.js';
import type { Recording } from '../flight-recorder/types.js';
import { refreshReply } from '../http/refresh.js';
import { type Metrics, createMetrics } from '../metrics/metrics.js';
import type { MetricSources } from '../metrics/types.js';
import { origin } from '../network/authority.js';
import { paceOf } from '../streams/poll-settings.js';
import type { PolledOutcome } from '../streams/polling.js';
import { createHistory } from '../status/history.js';
import { createStatusPages } from '../status/pages.js';
import { CLUSTER_ROUTE, statusReport } from '../status/report.js';
import type { Cache } from '../streams/cache.js';
import type { Change } from '../streams/changes.js';
import type { KnownTimings } from '../streams/known-timings.js';
import type { TtlCheck } from '../streams/ttl-check.js';
import type { Pages } from '../http/types.js';
import { configuredNames } from './configured-names.js';
import { pageAt } from './page-at.js';

/** Where the pages get their facts, besides the calls of {@link OwnPages}. */
export interface PagesSources extends Omit<
  MetricSources,
  'cache' | 'cacheTtlMs' | 'safeTtlMs' | 'standbyCluster' | 'certificateEnds' | 'lastCheckAtMs' | 'startedAtMs'
> {
  readonly cache: Pick<Cache, 'prefetched' | 'maxLearned' | 'routes' | 'latest' | 'ask'>;
  readonly lastChecks: Pick<LastChecks, 'of' | 'forget'>;
  readonly config$: BehaviorSubject<Config>;
  readonly timings: Pick<KnownTimings, 'standbyCluster'>;
  readonly ttlCheck: Pick<TtlCheck, 'safeTtlMs' | 'warning'>;
  readonly certificates: Pick<CertificateWatch, 'ends' | 'warnings'>;
  /** Warnings about the addresses of the upstream, and about the members that answer there. */
  readonly upstreamWarnings: () => readonly string[];
  /** What the flight recorder has recorded last. */
  readonly recording: () => Recording | undefined;
  readonly wallMs: () => number;
  /** Polls Patroni at once. */
  readonly refresh: () => void;
}

/** Metrics and status page, and the functions to call when something happens. */
export interface OwnPages extends Pages, Omit<Metrics, 'page' | 'refreshed' | 'polled'> {
  readonly polled: (polled: PolledOutcome) => void;
}

/** Makes patroniglue's own pages, as the configuration in force says. */
export function createPages(sources: PagesSources): OwnPages {
  const { cache, config$, ttlCheck, certificates, lastChecks, nowMs, wallMs } = sources;
  const startedAtMs = nowMs();
  const inForce = (): Config => config$.getValue();
  const metrics = createMetrics({
    ...sources,
    cacheTtlMs: () => inForce().cache.ttlMs,
    safeTtlMs: () => ttlCheck.safeTtlMs(),
    certificateEnds: () => certificates.ends(),
    standbyCluster: sources.timings.standbyCluster,
    lastCheckAtMs: (route) => lastChecks.of(route)?.atMs,
    startedAtMs,
  });
  const history = createHistory(wallMs);
  const changed$ = new Subject<void>();
  const statusSources = {
    cache,
    history,
    warnings: () => [
      ...inForce().warnings,
      ...certificates.warnings(),
      ...[ttlCheck.warning()].filter((text) => text !== undefined),
      ...sources.upstreamWarnings(),
    ],
    upstream: () => origin(inForce().backend),
    ttlMsOf: (route) => paceOf(inForce().cache, route).ttlMs,
    witness: sources.witness.state,
    configured: () => configuredNames(inForce()),
    recording: sources.recording,
    frozenSinceMs: sources.frozenSinceMs,
    certificateEnds: () => certificates.ends(),
    lastCheck: (route) => lastChecks.of(route),
    pageAt: (host) => pageAt(inForce().frontend, host),
    startedAtMs,
    nowMs,
    wallMs,
  } satisfies Parameters<typeof statusReport>[0];
  const statusPages = createStatusPages(
    () => statusReport(statusSources),
    changed$,
    undefined,
    () => {
      keepClusterPolled(cache);
    },
    changedRights(config$),
  );
  return {
    get(path) {
      if (path === '/-/metrics') return metrics.page;
      return inForce().frontend.status ? statusPages.get(path) : undefined;
    },
    refusal: (request) => pageRefusal(request, inForce().frontend),
    refresh(request) {
      return refreshReply(request, inForce().frontend, () => {
        metrics.refreshed();
        sources.refresh();
      });
    },
    polled({ route, outcome }) {
      metrics.polled(route, outcome);
      history.polled(route, outcome);
    },
    changed(change: Change) {
      metrics.changed(change);
      history.changed(change, !cache.prefetched.includes(change.route));
      if (change.kind === 'route-forgotten') lastChecks.forget(change.route);
      changed$.next();
    },
    witnessRead(read) {
      metrics.witnessRead(read);
      history.witnessRead(read);
    },
    reloaded(reload) {
      metrics.reloaded(reload);
      if (reload.kind !== 'unchanged') history.reloaded(reload.kind, describeReload(reload));
    },
    lagged: metrics.lagged,
  };
}

/** Emits when other clients may see the pages than before, so that nobody goes on watching who may no longer. */
function changedRights(config$: Observable<Config>): Observable<unknown> {
  return config$.pipe(
    map(({ frontend: { status, allowPages, tls } }) => [status, allowPages, tls?.verifyClient]),
    distinctUntilChanged(isDeepStrictEqual),
    skip(1),
  );
}

/** The members of the cluster are polled, at the slow pace, while somebody looks at the page, if a place is free for that. */
function keepClusterPolled({ prefetched, maxLearned, routes, latest, ask }: PagesSources['cache']): void {
  const isPlaceFree = routes().length - prefetched.length < maxLearned;
  if (latest(CLUSTER_ROUTE) !== undefined || isPlaceFree) ask(CLUSTER_ROUTE);
}

function describeReload(reload: Exclude<Reload, { kind: 'unchanged' }>): string {
  if (reload.kind === 'refused') return messageOf(reload.cause);
  const changed = changedKeys(reload.before.config, reload.after.config);
  return changed.length === 0 ? 'nothing has changed' : `changed: ${changed.join(', ')}`;
}
