import { BlockList, isIPv6 } from 'node:net';
import { isLoopback } from './loopback.js';

/** A network: the two parts of the CIDR notation. */
interface Network {
  readonly address: string;
  readonly prefix: number;
}

/** The two ends of a client's connection. The addresses are absent if the connection was reset. */
interface Ends {
  readonly remoteAddress?: string | undefined;
  readonly localAddress?: string | undefined;
}

/**
 * True if a client is in one of the networks, or is this host: it uses loopback, or this host's own address (the kernel drops
 * packets from outside with such a source).
 *
 * If the connection has a PROXY header, both addresses must be allowed: the connection's own (a local proxy may forward
 * anyone), and the one in the header (which anyone can forge).
 *
 * @param networks not changed later: the first call prepares them for the others
 */
export function isAllowed(networks: readonly Network[], ends: Ends, proxyClient?: string): boolean {
  const isOneAllowed = (address: string | undefined): boolean =>
    address !== undefined && (isThisHost(address, ends.localAddress) || contains(listOf(networks), address));
  return isOneAllowed(ends.remoteAddress) && (proxyClient === undefined || isOneAllowed(proxyClient));
}

function isThisHost(address: string, localAddress: string | undefined): boolean {
  return isLoopback(address) || (localAddress !== undefined && plain(address) === plain(localAddress));
}

/** An IPv4 address in IPv6 form (`::ffff:10.0.0.1`) as IPv4: a listener on `::` sees all IPv4 clients so. */
function plain(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}

/** An IPv4 address in IPv6 form also matches IPv4 networks. A zone (`fe80::1%eth0`) does not matter. */
function contains(list: BlockList, address: string): boolean {
  return list.check(address.replace(/%.*$/, ''), isIPv6(address) ? 'ipv6' : 'ipv4');
}

const lists = new WeakMap<readonly Network[], BlockList>();

function listOf(networks: readonly Network[]): BlockList {
  const known = lists.get(networks);
  if (known) return known;
  const list = new BlockList();
  for (const { address, prefix } of networks) list.addSubnet(address, prefix, isIPv6(address) ? 'ipv6' : 'ipv4');
  lists.set(networks, list);
  return list;
}
