import { BlockList, isIPv6 } from 'node:net';
import type { Network } from '../config/types.js';
import { textReply } from './reply.js';
import { type CheckRequest, type Ends, REFRESH_PATH, type Reply } from './types.js';

/** The reply to whoever asks for polls at once, by `POST`; `refresh` is called for those who may: this host, and `from`. */
export function refreshReply(request: CheckRequest, from: readonly Network[], refresh: () => void): Reply {
  const { method, hasBody, connection = {}, named } = request;
  if (method !== 'POST') return refused(405, `${REFRESH_PATH} accepts POST only`, { Allow: 'POST' }, hasBody);
  if (hasBody) return refused(413, `${REFRESH_PATH} accepts no body`, {}, hasBody);
  // A proxy on this host may let in anybody, and anybody may name any address: both must be allowed.
  const client: Ends =
    named === undefined ? connection : { remoteAddress: named, localAddress: connection.localAddress };
  if (![connection, client].every((ends) => isThisHost(ends) || isAmong(from, ends.remoteAddress))) {
    return refused(403, 'only this host and the networks of frontend.refresh-from may ask', {}, hasBody);
  }
  refresh();
  return textReply(202, 'patroniglue polls Patroni now\n');
}

function refused(status: number, why: string, headers: Reply['headers'], hasBody: boolean): Reply {
  return textReply(status, `${why}\n`, undefined, { ...headers, ...(hasBody && { Connection: 'close' }) });
}

const loopback = networks([
  { address: '127.0.0.0', prefix: 8 },
  { address: '::1', prefix: 128 },
]);

/** By loopback, or by an address of its own: the kernel takes no packet from outside that says so. */
function isThisHost({ remoteAddress, localAddress }: Ends): boolean {
  if (remoteAddress === undefined) return false;
  return remoteAddress === localAddress || contains(loopback, remoteAddress);
}

function isAmong(from: readonly Network[], address: string | undefined): boolean {
  return address !== undefined && from.length > 0 && contains(networks(from), address);
}

function networks(list: readonly Network[]): BlockList {
  const found = new BlockList();
  for (const { address, prefix } of list) found.addSubnet(address, prefix, isIPv6(address) ? 'ipv6' : 'ipv4');
  return found;
}

/** An IPv4 address that comes as IPv6 (`::ffff:10.0.0.1`) is found among those of IPv4, too. */
function contains(list: BlockList, address: string): boolean {
  return list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}
