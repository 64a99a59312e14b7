import { type BehaviorSubject, Subject } from 'rxjs';
import type { CertificateWatch } from '../streams/certificate-watch.js';
import type { Config } from '../config/types.js';
import { pageRefusal } from '../http/access.js';
import { refreshReply } from '../http/refresh.js';
import { type Metrics, createMetrics } from '../metrics/metrics.js';
import type { MetricSources } from '../metrics/types.js';
import { origin } from '../network/authority.js';
import { paceOf } from '../streams/poll-settings.js';
import type { PolledOutcome } from '../streams/polling.js';
import { createHistory } from '../status/history.js';
import { createStatusPages } from '../status/pages.js';
import { statusReport } from '../status/report.js';
import type { KnownTimings } from '../streams/known-timings.js';
import type { TtlCheck } from '../streams/ttl-check.js';
import type { Pages } from '../http/types.js';

/** Where the pages get their facts, besides the calls of {@link OwnPages}. */
export interface PagesSources extends Omit<
  MetricSources,
  'cacheTtlMs' | 'safeTtlMs' | 'standbyCluster' | 'certificateEnds'
> {
  readonly config$: BehaviorSubject<Config>;
  readonly timings: Pick<KnownTimings, 'standbyCluster'>;
  readonly ttlCheck: Pick<TtlCheck, 'safeTtlMs' | 'warning'>;
  readonly certificates: Pick<CertificateWatch, 'ends' | 'warnings'>;
  /** Warnings about the addresses of the upstream, and about the members that answer there. */
  readonly upstreamWarnings: () => readonly string[];
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
  const { cache, config$, ttlCheck, certificates, nowMs, wallMs } = sources;
  const inForce = (): Config => config$.getValue();
  const metrics = createMetrics({
    ...sources,
    cacheTtlMs: () => inForce().cache.ttlMs,
    safeTtlMs: () => ttlCheck.safeTtlMs(),
    certificateEnds: () => certificates.ends(),
    standbyCluster: sources.timings.standbyCluster,
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
    nowMs,
    wallMs,
  } satisfies Parameters<typeof statusReport>[0];
  const statusPages = createStatusPages(() => statusReport(statusSources), changed$);
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
    changed(change) {
      metrics.changed(change);
      history.changed(change);
      changed$.next();
    },
    witnessRead: metrics.witnessRead,
    reloaded: metrics.reloaded,
    lagged: metrics.lagged,
  };
}
