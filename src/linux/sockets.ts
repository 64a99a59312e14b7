import { type FileHandle, open } from 'node:fs/promises';
import { isIP, isIPv6 } from 'node:net';

/** A socket of this host that listens for TCP connections. */
export interface ListeningSocket {
  /** `127.0.0.1`, `::1`; `0.0.0.0` and `::` stand for all addresses. IPv6 is not shortened otherwise. */
  readonly address: string;
  readonly port: number;
  /** Names the socket in `/proc/PID/fd`. */
  readonly inode: string;
  /** Connections that the kernel has made, and that the program has not accepted: Recv-Q of `ss -ltn`. */
  readonly acceptQueue: number;
}

const LISTEN = '0A';

/** The most bytes of a table that are read: some 1,700 sockets. */
const MAX_BYTES = 262_144;

/** The listening sockets in the text of `/proc/net/tcp` or `/proc/net/tcp6` (proc_pid_net(5)). Other lines are left out. */
export function listeningIn(table: string): readonly ListeningSocket[] {
  return table.split('\n').flatMap((line) => {
    const [, local = '', , state, queues = '', , , , , inode = ''] = line.trim().split(/\s+/);
    const [hex = '', port = ''] = local.split(':');
    const [, waiting = ''] = queues.split(':');
    if (state !== LISTEN || !/^\d+$/.test(inode) || !/^[\dA-F]{4}$/.test(port)) return [];
    return [{ address: addressOf(hex), port: parseInt(port, 16), inode, acceptQueue: parseInt(waiting, 16) }];
  });
}

/** The kernel writes each 32-bit word of an address in this machine's byte order: little-endian on amd64 and arm64. */
function addressOf(hex: string): string {
  const words = hex.match(/.{8}/g) ?? [];
  const bytes = words.flatMap((word) => (word.match(/../g) ?? []).reverse());
  if (bytes.length === 4) return bytes.map((byte) => parseInt(byte, 16)).join('.');
  const groups = Array.from({ length: 8 }, (_, at) => parseInt(`${bytes[2 * at] ?? ''}${bytes[2 * at + 1] ?? ''}`, 16));
  if (groups.every((group) => group === 0)) return '::';
  if (groups.slice(0, 7).every((group) => group === 0) && groups[7] === 1) return '::1';
  return groups.map((group) => group.toString(16)).join(':');
}

/**
 * The sockets that listen at a port for a host: several programs may listen at the same port of different addresses, and a name
 * may stand for any of them. Of IPv4 and IPv6. Reads only the beginning of the kernel's tables, where the listening
 * sockets are: on a host with thousands of connections the whole table costs the kernel milliseconds. Never rejects.
 */
export async function listeningAt(host: string, port: number): Promise<readonly ListeningSocket[]> {
  const tables = [await readBeginning('/proc/net/tcp'), await readBeginning('/proc/net/tcp6')]; // one after the other
  return tables.flatMap(listeningIn).filter((socket) => socket.port === port && isFor(socket, host));
}

function isFor({ address }: ListeningSocket, host: string): boolean {
  return ['0.0.0.0', '::'].includes(address) || isIP(host) === 0 || shortest(address) === shortest(host);
}

/** An IPv6 address may be written in several ways. */
function shortest(address: string): string {
  return isIPv6(address) ? new URL(`http://[${address.replace(/%.*$/s, '')}]`).hostname : address;
}

async function readBeginning(file: string): Promise<string> {
  let table: FileHandle | undefined;
  try {
    table = await open(file);
    const buffer = Buffer.alloc(MAX_BYTES);
    let length = 0;
    for (;;) {
      const { bytesRead } = await table.read(buffer, length, MAX_BYTES - length);
      const isLast = bytesRead === 0 || hasOthers(buffer.toString('latin1', length, length + bytesRead));
      length += bytesRead;
      if (isLast || length === MAX_BYTES) return buffer.toString('latin1', 0, length);
    }
  } catch {
    return ''; // not Linux, or not permitted
  } finally {
    await table?.close().catch(() => undefined);
  }
}

/** True if a part of the table has come to the sockets that do not listen. The kernel gives whole lines. */
function hasOthers(table: string): boolean {
  return /^ *\d+: [\dA-F:]+ [\dA-F:]+ (?!0A)[\dA-F]{2} /m.test(table);
}
