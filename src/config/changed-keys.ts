import { isDeepStrictEqual } from 'node:util';
import type { Config } from './types.js';

/** Every key of the file and what it comes to; of files their contents, so that a new certificate is a change. */
const VALUES: Readonly<Record<string, (config: Config) => unknown>> = {
  'frontend.host': ({ frontend }) => frontend.host,
  'frontend.port': ({ frontend }) => frontend.port,
  'frontend.certfile': ({ frontend: { tls } }) => [tls?.certfile, tls?.cert],
  'frontend.keyfile': ({ frontend: { tls } }) => [tls?.keyfile, tls?.key],
  'frontend.tls-min-version': ({ frontend: { tls } }) => tls?.minVersion,
  'frontend.tls-ciphers': ({ frontend: { tls } }) => tls?.ciphers,
  'frontend.logformat': ({ frontend }) => frontend.logFormat,
  'frontend.status': ({ frontend }) => frontend.status,
  'frontend.refresh-from': ({ frontend }) => frontend.refreshFrom,
  'frontend.proxy-protocol': ({ frontend }) => frontend.proxyProtocol,
  'agent.host': ({ agent }) => agent.port !== undefined && agent.host,
  'agent.port': ({ agent }) => agent.port,
  'agent.route': ({ agent }) => agent.route,
  'agent.standby': ({ agent }) => agent.standby,
  'agent.wait': ({ agent }) => agent.waitMs,
  'backend.host': ({ backend }) => backend.host,
  'backend.port': ({ backend }) => backend.port,
  'backend.scheme': ({ backend }) => backend.scheme,
  'backend.insecure': ({ backend: { tls } }) => tls.insecure,
  'backend.servername': ({ backend: { tls } }) => tls.servername,
  'backend.cafile': ({ backend: { tls } }) => [tls.cafile, tls.ca],
  'backend.certfile': ({ backend: { tls } }) => [tls.certfile, tls.cert],
  'backend.keyfile': ({ backend: { tls } }) => [tls.keyfile, tls.key],
  'backend.timeout': ({ backend }) => backend.timeoutMs,
  'backend.routes': ({ backend }) => backend.routes,
  'cache.ttl': ({ cache }) => cache.ttlMs,
  'cache.interval': ({ cache }) => cache.intervalMs,
  'cache.slow-ttl': ({ cache }) => cache.slowTtlMs,
  'cache.slow-interval': ({ cache }) => cache.slowIntervalMs,
  'cache.learn': ({ cache }) => cache.learn,
  'cache.lease-guard': ({ cache }) => cache.leaseGuard,
  'log.format': ({ log }) => log.format,
};

/** The keys whose values differ between two configurations, defaults that follow from others included. */
export function changedKeys(before: Config, after: Config): readonly string[] {
  return Object.entries(VALUES)
    .filter(([, valueIn]) => !isDeepStrictEqual(valueIn(before), valueIn(after)))
    .map(([key]) => key);
}
