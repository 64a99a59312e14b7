import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { parseProxyHeader } from '../sockets/proxy-header.js';

/** Why a connection ended before it was a request: in a few words, and what to do about it. */
export const BREAKAGES = {
  'plain-on-tls': ['speaks no TLS, and this port is HTTPS', 'use check-ssl at HAProxy, https:// elsewhere'],
  'tls-on-plain': ['speaks TLS, and this port is plain HTTP', 'remove check-ssl at HAProxy, or set frontend.certfile'],
  'tls-version': ['and this port have no TLS version in common', 'see frontend.tls-min-version'],
  'tls-ciphers': ['and this port have no TLS cipher in common', 'see frontend.tls-ciphers, and the kind of key'],
  'tls-certificate': [
    'refused the certificate',
    'give the client the CA of frontend.certfile; the certificate must have the name that the client asks for',
  ],
  'tls-cut-off': ['left in the middle of its TLS handshake', 'the client may not trust frontend.certfile'],
  'tls-failed': ['failed at its TLS handshake', 'the brackets hold the reason that OpenSSL gives'],
  'bare-line-feed': ['ends its lines with LF alone', 'end each line of the request with CR LF, \\r\\n'],
  malformed: ['sent bytes that are no HTTP request', 'find out which client uses this port'],
  'too-large': ['sent headers of over 8 kB', 'find out which client uses this port'],
  'too-slow': ['took over 5 s for its request', 'find out which client uses this port'],
  'proxy-header': [
    'sent a PROXY header that is not expected',
    'set both frontend.proxy-protocol and check-send-proxy, or neither',
  ],
  'no-proxy-header': [
    'sent no valid PROXY header',
    'set both frontend.proxy-protocol and check-send-proxy, or neither',
  ],
  silent: ['sent nothing', 'nothing to do: a check that only connects sends nothing'],
} as const satisfies Record<string, readonly [what: string, cure: string]>;

/** The name of such a reason, in the log and in the metrics. */
export type Breakage = keyof typeof BREAKAGES;

/** Told of a connection that ended before it was a request; `detail` is the parser's word for it, or that of OpenSSL. */
export type OnBroken = (breakage: Breakage, address: string, detail: string) => void;

/** How often what happened. */
export interface Tally<Key> {
  count(key: Key): void;
  entries(): Iterable<readonly [Key, number]>;
}

/** Counts from 0, also what has not happened yet. */
export function createTally<Key>(keys: readonly Key[]): Tally<Key> {
  const counts = new Map(keys.map((key) => [key, 0]));
  return {
    count: (key) => counts.set(key, (counts.get(key) ?? 0) + 1),
    entries: () => counts,
  };
}

/** All of them. */
export const breakages = Object.keys(BREAKAGES) as readonly Breakage[];

/**
 * Tells of the connections to `server` that end before they are a request, and answers them with what is wrong, in plain
 * text: Node alone answers with an empty 400, and to plain HTTP where TLS is spoken not at all. To be called when the server
 * is made, and guarded.
 *
 * @param clientOf who is behind a connection, where its PROXY header says so
 */
export function tellBroken(server: Server, onBroken: OnBroken, clientOf: (socket: Socket) => string | undefined): void {
  const encrypted = new WeakSet<Socket>(); // their handshake is over
  const tell = (breakage: Breakage, socket: Socket, detail: string): void => {
    onBroken(breakage, clientOf(socket) ?? socket.remoteAddress ?? '-', detail);
  };
  server.on('connection', (tcp: Socket) => {
    const address = tcp.remoteAddress ?? '-'; // asked now, Node knows it also when the connection is reset
    tcp.once('close', () => {
      if (tcp.bytesRead === 0) onBroken('silent', address, '');
    });
  });
  server.on('secureConnection', (socket: Socket) => encrypted.add(socket));
  server.on('clientError', (error: ClientError, socket: Socket) => {
    if (socket instanceof TLSSocket && !encrypted.has(socket)) {
      const tcp = tcpOf(socket);
      const breakage = handshakeBreakage(error.code ?? '', tcp?.bytesRead);
      if (breakage !== undefined) tell(breakage, tcp ?? socket, reasonOf(error));
      if (breakage === 'plain-on-tls') refuse(tcp, breakage);
      socket.destroy();
      return;
    }
    const breakage = requestBreakage(error);
    if (breakage !== undefined) {
      // a client that expects no reply, or has a part of one, gets none: as Node does it
      if (!hasBegunReply(socket)) refuse(socket, breakage, reasonOf(error), isHead(error));
      tell(breakage, socket, reasonOf(error));
    }
    socket.destroy(error); // which tells whoever looks for PROXY headers
  });
  server.on('connect', (_request: IncomingMessage, socket: Socket) => {
    socket.on('error', () => undefined);
    refuse(socket, 'malformed', 'CONNECT: this is no proxy');
    tell('malformed', socket, 'CONNECT');
    socket.destroy();
  });
}

type ClientError = NodeJS.ErrnoException & {
  /** Of OpenSSL. */
  readonly reason?: string;
  /** What was read, and how far it was understood. */
  readonly rawPacket?: Buffer;
  readonly bytesParsed?: number;
};

/** The connection below a TLS socket. No public name has it; without it, addresses of some and replies are missing. */
function tcpOf(socket: TLSSocket): Socket | undefined {
  return (socket as { readonly _parent?: Socket })._parent;
}

/** As Node's own `socketOnError` looks at it. */
function hasBegunReply(socket: Socket): boolean {
  return (
    (socket as { readonly _httpMessage?: { readonly headersSent?: boolean } | null })._httpMessage?.headersSent === true
  );
}

const BY_HANDSHAKE_CODE: Readonly<Record<string, Breakage>> = {
  ERR_SSL_HTTP_REQUEST: 'plain-on-tls',
  ERR_SSL_HTTPS_PROXY_REQUEST: 'plain-on-tls',
  ERR_SSL_WRONG_VERSION_NUMBER: 'plain-on-tls', // the first bytes are of no TLS record: `OPTIONS`, say, until Node 20
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'tls-version',
  ERR_SSL_VERSION_TOO_LOW: 'tls-version',
  ERR_SSL_NO_PROTOCOLS_AVAILABLE: 'tls-version',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'tls-version',
  ERR_SSL_INAPPROPRIATE_FALLBACK: 'tls-version',
  ERR_SSL_NO_SHARED_CIPHER: 'tls-ciphers',
  ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM: 'tls-ciphers',
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: 'tls-ciphers',
  ERR_TLS_HANDSHAKE_TIMEOUT: 'too-slow',
  ECONNRESET: 'tls-cut-off',
  EPIPE: 'tls-cut-off',
};

/** The client's alerts of RFC 8446, section 6.2, that are about our certificate. */
const OF_CERTIFICATE =
  /_ALERT_(?:UNKNOWN_CA|(?:BAD|UNSUPPORTED)_CERTIFICATE|CERTIFICATE_(?:REVOKED|EXPIRED|UNKNOWN)|ACCESS_DENIED)$/;

/** `undefined` for who said nothing: that is told of all connections alike. */
function handshakeBreakage(code: string, bytesRead: number | undefined): Breakage | undefined {
  if (bytesRead === 0) return undefined;
  return BY_HANDSHAKE_CODE[code] ?? (OF_CERTIFICATE.test(code) ? 'tls-certificate' : 'tls-failed');
}

/** `undefined` for a connection that is lost: HAProxy resets each as soon as it has the status line. */
function requestBreakage({ code = '', rawPacket, bytesParsed }: ClientError): Breakage | undefined {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'too-slow';
  if (code === 'HPE_HEADER_OVERFLOW') return 'too-large';
  if (!code.startsWith('HPE_') || code === 'HPE_CLOSED_CONNECTION') return undefined; // the latter had its reply
  if (rawPacket === undefined) return 'malformed';
  if (isTlsRecord(rawPacket)) return 'tls-on-plain';
  if (parseProxyHeader(rawPacket).kind === 'complete') return 'proxy-header';
  return isBareLineFeed(rawPacket, bytesParsed ?? 0) ? 'bare-line-feed' : 'malformed';
}

/** A handshake record of TLS 1.0 and later (RFC 8446, section 5.1), or SSL 3. */
function isTlsRecord([type, major]: Buffer): boolean {
  return type === 0x16 && major === 0x03;
}

const [LF, CR] = [0x0a, 0x0d];

/** llhttp tells the byte that it stumbled at, or the one after it. */
function isBareLineFeed(bytes: Buffer, parsed: number): boolean {
  return [parsed - 1, parsed].some((at) => bytes[at] === LF && bytes[at - 1] !== CR);
}

function reasonOf({ reason, message, code = '' }: ClientError): string {
  return (reason ?? (code.startsWith('HPE_') ? message.replace('Parse Error: ', '') : code)).slice(0, 100);
}

const STATUS: Partial<Record<Breakage, string>> = {
  'too-slow': '408 Request Timeout',
  'too-large': '431 Request Header Fields Too Large',
};

/** A reply to HEAD has no body: RFC 9110, section 9.3.2. */
function isHead({ rawPacket }: ClientError): boolean {
  return rawPacket?.subarray(0, 5).toString('latin1') === 'HEAD ';
}

function refuse(socket: Socket | undefined, breakage: Breakage, detail = '', isHeadOnly = false): void {
  if (socket?.writable !== true) return;
  const [what, cure] = BREAKAGES[breakage];
  const text = `the client ${what}${detail === '' ? '' : ` (${detail})`}: ${cure}\n`;
  socket.write(
    [
      `HTTP/1.1 ${STATUS[breakage] ?? '400 Bad Request'}`,
      'Content-Type: text/plain; charset=utf-8',
      `Content-Length: ${text.length}`,
      'Cache-Control: no-store',
      'Connection: close',
      '',
      isHeadOnly ? '' : text,
    ].join('\r\n'),
  );
}
