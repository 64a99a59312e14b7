import { Gauge, type Registry } from 'prom-client';
import { readAt } from '../patroni/snapshot.js';
import type { CanonicalRoute, Snapshot } from '../patroni/types.js';
import type { MetricSources } from './types.js';

/** The gauges that are read from elsewhere when Prometheus asks. */
export function registerGauges(registry: Registry, sources: MetricSources): void {
  registerSnapshots(registry, sources);
  registerCertificates(registry, sources);
  registerSingle(registry, sources);
}

function registerSnapshots(registry: Registry, sources: MetricSources): void {
  const { cache, lastCheckAtMs, startedAtMs, nowMs } = sources;
  /** One value per route. A route without a value is left out: without an answer there is no age. */
  const register = (
    name: string,
    help: string,
    valueOf: (snapshot: Snapshot, nowMs: number, route: CanonicalRoute) => number | undefined,
  ) =>
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
          const value = latest && valueOf(readAt(latest, now), now, route);
          if (value !== undefined) this.set({ route }, value);
        }
      },
    });
  register(
    'patroniglue_snapshot_fresh',
    '1 if patroniglue answers checks with the answer of Patroni or of the witness, 0 if with its own 503.',
    ({ kind }) => (kind === 'fresh' ? 1 : 0),
  );
  register('patroniglue_snapshot_age_seconds', 'Time since the poll of the latest answer was sent.', (snapshot, now) =>
    snapshot.kind === 'pending' ? undefined : (now - snapshot.sentAtMs) / 1000,
  );
  register('patroniglue_snapshot_status', 'Status of the latest answer, fresh or stale.', (snapshot) =>
    snapshot.kind === 'pending' ? undefined : snapshot.answer.status,
  );
  register(
    'patroniglue_last_check_age_seconds',
    'Time since the last check of the route; since the start if nobody has asked for a prefetched route.',
    (_, now, route) => {
      const atMs = lastCheckAtMs(route) ?? (cache.prefetched.includes(route) ? startedAtMs : undefined);
      return atMs === undefined ? undefined : (now - atMs) / 1000;
    },
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

function registerSingle(registry: Registry, sources: MetricSources): void {
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
