import { SocketAddress, isIPv4, isIPv6 } from 'node:net';

/** What the first bytes of a connection are. */
export type ProxyHeader =
  /** More bytes are needed. */
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'malformed'; readonly why: string }
  | {
      readonly kind: 'complete';
      /** The length in bytes. The bytes after it are the client's. */
      readonly length: number;
      /** The client's address; absent if the header names none (the proxy's own check, or an unknown family). */
      readonly client?: string;
    };

const V1 = Buffer.from('PROXY ', 'latin1');
const V1_MOST = 107;
const V2 = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const V2_FIXED = 16;

/** The longest header of version 2, with everything that it may hold besides addresses: the protocol says "less than an MSS". */
const V2_MOST = 1460;

const INCOMPLETE: ProxyHeader = { kind: 'incomplete' };

/**
 * Parses a header of HAProxy's PROXY protocol, version 1 or 2, at the beginning of `bytes`: "The PROXY protocol, versions
 * 1 & 2" (2020/03/05), sections 2.1 and 2.2. In a header of version 2, only the addresses are read.
 */
export function parseProxyHeader(bytes: Buffer): ProxyHeader {
  if (startsAs(bytes, V1)) return bytes.length < V1.length ? INCOMPLETE : readV1(bytes);
  if (startsAs(bytes, V2)) return bytes.length < V2_FIXED ? INCOMPLETE : readV2(bytes);
  return malformed('the connection begins with other bytes');
}

/** Whether `bytes` begin with the signature, or with as much of it as has arrived. */
function startsAs(bytes: Buffer, signature: Buffer): boolean {
  const length = Math.min(bytes.length, signature.length);
  return bytes.compare(signature, 0, length, 0, length) === 0;
}

const FAMILIES = new Map([
  ['TCP4', isIPv4],
  ['TCP6', isPlainIPv6],
]);

function readV1(bytes: Buffer): ProxyHeader {
  const end = bytes.subarray(0, V1_MOST).indexOf('\r\n', 0, 'latin1');
  if (end < 0) return bytes.length < V1_MOST ? INCOMPLETE : malformed('no end of line within 107 bytes');
  const length = end + 2;
  const line = bytes.toString('latin1', V1.length, end);
  if (/^UNKNOWN(?: |$)/.test(line)) return { kind: 'complete', length };
  const [family = '', client = '', server = '', ...ports] = line.split(' ');
  const isAddress = FAMILIES.get(family);
  if (isAddress === undefined) return malformed('the protocol is neither TCP4, TCP6 nor UNKNOWN');
  if (!isAddress(client) || !isAddress(server)) return malformed('an address is not valid');
  if (ports.length !== 2 || !ports.every(isPort)) return malformed('a port is not valid');
  return { kind: 'complete', length, client };
}

/** An IPv6 address without a zone: a zone names an interface of one host. */
function isPlainIPv6(text: string): boolean {
  return isIPv6(text) && !text.includes('%');
}

function isPort(text: string): boolean {
  return /^(?:0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535;
}

const LOCAL = 0x20;
const PROXY = 0x21;

function readV2(bytes: Buffer): ProxyHeader {
  const [command = 0, family = 0] = bytes.subarray(V2.length);
  const size = bytes.readUInt16BE(14);
  const length = V2_FIXED + size;
  if (command >> 4 !== 2) return malformed('the version is neither 1 nor 2');
  if (command !== LOCAL && command !== PROXY) return malformed('the command is neither LOCAL nor PROXY');
  if (family >> 4 > 3 || (family & 0xf) > 2) return malformed('the family or protocol is unknown');
  if (length > V2_MOST) return malformed(`the header is longer than ${V2_MOST} bytes`);
  if (size < sizeOf(family)) return malformed('the addresses are cut off');
  if (bytes.length < length) return INCOMPLETE;
  const client = command === PROXY ? clientIn(bytes.subarray(V2_FIXED, length), family) : undefined;
  return { kind: 'complete', length, ...(client !== undefined && { client }) };
}

/** TCP over IPv4 and over IPv6. */
const [TCP4, TCP6] = [0x11, 0x21];

/** The size of the addresses, in bytes: none, IPv4, IPv6, Unix. The same for every protocol of a family. */
function sizeOf(family: number): number {
  return [0, 12, 36, 216][family >> 4] ?? 0;
}

function clientIn(addresses: Buffer, family: number): string | undefined {
  if (family === TCP4) return addresses.subarray(0, 4).join('.');
  if (family !== TCP6) return undefined;
  const groups = Array.from({ length: 8 }, (_, index) => addresses.readUInt16BE(index * 2).toString(16));
  return new SocketAddress({ address: groups.join(':'), family: 'ipv6' }).address;
}

function malformed(why: string): ProxyHeader {
  return { kind: 'malformed', why };
}
