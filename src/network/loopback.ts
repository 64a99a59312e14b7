import { BlockList, isIPv6, isIP } from 'node:net';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** True if a name or an address is reachable only from this host. Looks only at the spelling. */
export function isLoopback(host: string): boolean {
  if (isIP(host) === 0) return host.toLowerCase() === 'localhost';
  return LOOPBACK.check(host.replace(/%.*$/, ''), isIPv6(host) ? 'ipv6' : 'ipv4');
}

/** Says that a loopback address is reachable only from this host, and what to set if HAProxy runs on another host. */
export function onlyFromHere(section: 'frontend' | 'agent'): string {
  const fix = `set ${section}.host to an address of this host, or to 0.0.0.0 for all`;
  return `reachable only from this host: if HAProxy runs on another host, ${fix}`;
}

/** True if there are listening addresses, and all are loopback: `127.0.0.1:8009`, `[::1]:8009`. */
export function areLoopback(names: readonly string[]): boolean {
  return names.length > 0 && names.every((name) => isLoopback(name.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')));
}
