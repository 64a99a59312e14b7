import type { Config } from '../config/types.js';
import { canonicalRoute, isSlow } from '../patroni/routes.js';
import type { CanonicalRoute } from '../patroni/types.js';
import type { RoutePlan } from './cache.js';

/** The part of a configuration that all polls depend on: Patroni and times, but not routes. */
export interface PollSettings {
  readonly backend: Pick<Config['backend'], 'host' | 'port' | 'scheme' | 'tls' | 'timeoutMs'>;
  readonly times: Pick<Config['cache'], 'ttlMs' | 'intervalMs' | 'slowTtlMs' | 'slowIntervalMs' | 'leaseGuard'>;
}

/** The poll settings of a configuration. */
export function settingsOf({ backend, cache }: Config): PollSettings {
  const { host, port, scheme, tls, timeoutMs } = backend;
  const { ttlMs, intervalMs, slowTtlMs, slowIntervalMs, leaseGuard } = cache;
  return {
    backend: { host, port, scheme, tls, timeoutMs },
    times: { ttlMs, intervalMs, slowTtlMs, slowIntervalMs, leaseGuard },
  };
}

/** The routes that a configuration polls. */
export function planOf(config: Config): RoutePlan {
  const prefetched = prefetchedOf(config)
    .map(canonicalRoute)
    .filter((route) => route !== undefined);
  return { prefetched, maxLearned: config.cache.learn };
}

/**
 * The routes that are polled from the start, as written. The route of agent checks is one of them: HAProxy acts on the first
 * reply to an agent check, so patroniglue must know Patroni's answer before.
 */
export function prefetchedOf({ backend: { routes }, agent }: Config): readonly string[] {
  if (agent.port === undefined) return routes;
  const asked = canonicalRoute(agent.route);
  return routes.some((route) => canonicalRoute(route) === asked) ? routes : [...routes, agent.route];
}

/** How long answers to a route are fresh, and the time from poll to poll, in milliseconds. */
export function paceOf(
  { ttlMs, intervalMs, slowTtlMs, slowIntervalMs }: PollSettings['times'],
  route: CanonicalRoute,
): { readonly ttlMs: number; readonly intervalMs: number } {
  return isSlow(route) ? { ttlMs: slowTtlMs, intervalMs: slowIntervalMs } : { ttlMs, intervalMs };
}
