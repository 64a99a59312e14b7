import { BlockList, isIPv6 } from 'node:net';
import type { Network } from '../config/types.js';
import { isLoopback } from '../network/loopback.js';
import { type PageRights, certificateRefusal } from './access.js';
import { textReply } from './reply.js';
import { type CheckRequest, type ConnectionAddresses, REFRESH_PATH, type Reply } from './types.js';

/** Who may send `POST /-/refresh`: this host and these networks, with a certificate if clients need one. */
export interface RefreshRights extends PageRights {
  readonly refreshFrom: readonly Network[];
}

/** The reply to `POST /-/refresh`. Calls `refresh` if the client may ask. */
export function refreshReply(request: CheckRequest, rights: RefreshRights, refresh: () => void): Reply {
  const { method, hasBody, connection = {}, proxyClient } = request;
  if (method !== 'POST') return refused(405, `${REFRESH_PATH} accepts POST only`, { Allow: 'POST' }, hasBody);
  if (hasBody) return refused(413, `${REFRESH_PATH} accepts no body`, {}, hasBody);
  // Check both addresses: the connection's own (a local proxy may forward anyone) and the one in the PROXY header (which
  // anyone can forge).
  const client: ConnectionAddresses =
    proxyClient === undefined ? connection : { remoteAddress: proxyClient, localAddress: connection.localAddress };
  if (![connection, client].every((one) => isThisHost(one) || isAmong(rights.refreshFrom, one.remoteAddress))) {
    return refused(403, 'only this host and the networks of frontend.refresh-from may ask', {}, hasBody);
  }
  const refusal = certificateRefusal(request, rights.tls);
  if (refusal) return refusal;
  refresh();
  return textReply(202, 'patroniglue polls Patroni now\n');
}

function refused(status: number, why: string, headers: Reply['headers'], hasBody: boolean): Reply {
  return textReply(status, `${why}\n`, undefined, { ...headers, ...(hasBody && { Connection: 'close' }) });
}

/** The client uses loopback or this host's own address. The kernel drops packets from outside with such a source. */
function isThisHost({ remoteAddress, localAddress }: ConnectionAddresses): boolean {
  if (remoteAddress === undefined) return false;
  return remoteAddress === localAddress || isLoopback(remoteAddress);
}

function isAmong(from: readonly Network[], address: string | undefined): boolean {
  return address !== undefined && from.length > 0 && contains(networks(from), address);
}

function networks(list: readonly Network[]): BlockList {
  const found = new BlockList();
  for (const { address, prefix } of list) found.addSubnet(address, prefix, isIPv6(address) ? 'ipv6' : 'ipv4');
  return found;
}

/** An IPv4 address in IPv6 form (`::ffff:10.0.0.1`) also matches IPv4 networks. */
function contains(list: BlockList, address: string): boolean {
  return list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}
