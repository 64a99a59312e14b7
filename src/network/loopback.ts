import { BlockList, isIPv6, isIP } from 'node:net';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** Whether only this host reaches a name or an address, as far as its spelling tells. */
export function isLoopback(host: string): boolean {
  if (isIP(host) === 0) return host.toLowerCase() === 'localhost';
  return LOOPBACK.check(host.replace(/%.*$/, ''), isIPv6(host) ? 'ipv6' : 'ipv4');
}

/** What to do where HAProxy is elsewhere. */
export function onlyFromHere(section: 'frontend' | 'agent'): string {
  return `reached from this host alone: for HAProxy on another, set ${section}.host to an address of this host, or 0.0.0.0 for all`;
}

/** Whether `127.0.0.1:8009`, `[::1]:8009` and the like are all that is listened on. */
export function areLoopback(names: readonly string[]): boolean {
  return names.length > 0 && names.every((name) => isLoopback(name.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')));
}
