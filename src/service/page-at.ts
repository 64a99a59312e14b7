import type { Config } from '../config/types.js';
import { authority } from '../network/authority.js';
import { isLoopback } from '../network/loopback.js';

/**
 * Where the status page of another host of the cluster may be: a patroniglue there most likely listens as this one does.
 * `undefined` if one of the two hosts is loopback: then there is no other host, or nothing could reach its page.
 */
export function pageAt(frontend: Pick<Config['frontend'], 'host' | 'port' | 'tls'>, host: string): string | undefined {
  if (isLoopback(frontend.host) || isLoopback(host)) return undefined;
  return `${frontend.tls ? 'https' : 'http'}://${authority(host, frontend.port)}/-/status`;
}
