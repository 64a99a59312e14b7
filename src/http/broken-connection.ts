import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { parseProxyHeader } from '../sockets/proxy-header.js';

/** Why a connection ended before it was a request, and what to do about it. The client is the subject of each `what`. */
export const BREAKAGES = {
  'plain-on-tls': ['speaks no TLS, and this port is HTTPS', 'use check-ssl at HAProxy, https:// elsewhere'],
  'tls-on-plain': ['speaks TLS, and this port is plain HTTP', 'remove check-ssl at HAProxy, or set frontend.certfile'],
  'tls-version': ['and this port have no TLS version in common', 'see frontend.tls-min-version'],
  'tls-ciphers': ['and this port have no TLS cipher in common', 'see frontend.tls-ciphers, and the kind of key'],
  'tls-certificate': [
    'refused the certificate',
    'give the client the CA of frontend.certfile; the certificate must have the name that the client asks for',
  ],
  'tls-client-certificate': [
    'showed no certificate that frontend.cafile has signed',
    'give the client one (crt in HAProxy), see frontend.verify-client',
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
  'not-allowed': ['is not in frontend.allow', 'add its network there if it may ask'],
  silent: ['sent nothing', 'nothing to do: a check that only connects sends nothing'],
} as const satisfies Record<string, readonly [what: string, cure: string]>;

/** The name of such a reason in the log and in the metrics. */
export type Breakage = keyof typeof BREAKAGES;

/** Called when a connection ended before it was a request; `detail` is the reason that Node's parser or OpenSSL gives. */
export type OnBroken = (breakage: Breakage, address: string, detail: string) => void;

/** How often each thing happened. */
export interface Tally<Key> {
  count(key: Key): void;
  entries(): Iterable<readonly [Key, number]>;
}

/** Counts each key from 0; `entries` also has the keys that were never counted. */
export function createTally<Key>(keys: readonly Key[]): Tally<Key> {
  const counts = new Map(keys.map((key) => [key, 0]));
  return {
    count: (key) => counts.set(key, (counts.get(key) ?? 0) + 1),
    entries: () => counts,
  };
}

/** All such reasons. */
export const breakages = Object.keys(BREAKAGES) as readonly Breakage[];

/**
 * Reports the connections to `server` that end before they are a request, and tells the client in plain text what is wrong.
 * Node alone answers with an empty 400, and does not answer plain HTTP at a TLS port at all. To be called when the server is
 * made, after `ProxyGate.readHeadersOf`.
 *
 * @param clientOf the client that the PROXY header of a connection names
 */
export function reportBrokenConnections(
  server: Server,
  onBroken: OnBroken,
  clientOf: (socket: Socket) => string | undefined,
): void {
  const encrypted = new WeakSet<Socket>(); // sockets whose handshake is complete
  const report = (breakage: Breakage, socket: Socket, detail: string): void => {
    onBroken(breakage, clientOf(socket) ?? socket.remoteAddress ?? '-', detail);
  };
  server.on('connection', (tcp: Socket) => {
    const address = tcp.remoteAddress ?? '-'; // Node keeps the address, so it is there after a reset as well
    tcp.once('close', () => {
      if (tcp.bytesRead === 0) onBroken('silent', address, '');
    });
  });
  server.on('secureConnection', (socket: Socket) => encrypted.add(socket));
  server.on('clientError', (error: ClientError, socket: Socket) => {
    if (socket instanceof TLSSocket && !encrypted.has(socket)) {
      const tcp = tcpOf(socket);
      const breakage = handshakeBreakage(error.code ?? '', tcp?.bytesRead, refusalOf(socket));
      if (breakage !== undefined) report(breakage, tcp ?? socket, refusalOf(socket) ?? reasonOf(error));
      if (breakage === 'plain-on-tls') refuse(tcp, breakage);
      socket.destroy();
      return;
    }
    const breakage = requestBreakage(error);
    if (breakage !== undefined) {
      // No text after the beginning of another reply. Node does the same.
      if (!hasBegunReply(socket)) refuse(socket, breakage, reasonOf(error), isHead(error));
      report(breakage, socket, reasonOf(error));
    }
    socket.destroy(error); // the PROXY gate listens for this error
  });
  server.on('connect', (_request: IncomingMessage, socket: Socket) => {
    socket.on('error', () => undefined);
    refuse(socket, 'malformed', 'CONNECT: this is no proxy');
    report('malformed', socket, 'CONNECT');
    socket.destroy();
  });
}

type ClientError = NodeJS.ErrnoException & {
  /** OpenSSL's reason. */
  readonly reason?: string;
  /** The bytes that were read; the parser understood the first `bytesParsed` of them. */
  readonly rawPacket?: Buffer;
  readonly bytesParsed?: number;
};

/** The TCP connection below a TLS socket. Node has no public name for it. Without it, some addresses and replies are missing. */
function tcpOf(socket: TLSSocket): Socket | undefined {
  return (socket as { readonly _parent?: Socket })._parent;
}

/** Why Node refused the client's certificate, by OpenSSL's name of the reason: `CERT_HAS_EXPIRED`. */
function refusalOf({ authorizationError }: TLSSocket): string | undefined {
  return (authorizationError as unknown as string | null | undefined) ?? undefined;
}

/** The same check as in Node's own `socketOnError`. */
function hasBegunReply(socket: Socket): boolean {
  return (
    (socket as { readonly _httpMessage?: { readonly headersSent?: boolean } | null })._httpMessage?.headersSent === true
  );
}

const BY_HANDSHAKE_CODE: Readonly<Record<string, Breakage>> = {
  ERR_SSL_HTTP_REQUEST: 'plain-on-tls',
  ERR_SSL_HTTPS_PROXY_REQUEST: 'plain-on-tls',
  ERR_SSL_WRONG_VERSION_NUMBER: 'plain-on-tls', // the first bytes are no TLS record, such as `OPTIONS` until Node 20
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'tls-version',
  ERR_SSL_VERSION_TOO_LOW: 'tls-version',
  ERR_SSL_NO_PROTOCOLS_AVAILABLE: 'tls-version',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'tls-version',
  ERR_SSL_INAPPROPRIATE_FALLBACK: 'tls-version',
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: 'tls-client-certificate',
  ERR_SSL_NO_SHARED_CIPHER: 'tls-ciphers',
  ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM: 'tls-ciphers',
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: 'tls-ciphers',
  ERR_TLS_HANDSHAKE_TIMEOUT: 'too-slow',
  ECONNRESET: 'tls-cut-off',
  EPIPE: 'tls-cut-off',
};

/** The client's alerts that are about our certificate (RFC 8446, section 6.2). */
const CERTIFICATE_ALERT =
  /_ALERT_(?:UNKNOWN_CA|(?:BAD|UNSUPPORTED)_CERTIFICATE|CERTIFICATE_(?:REVOKED|EXPIRED|UNKNOWN)|ACCESS_DENIED)$/;

/** `undefined` if the client sent nothing: `silent` is reported for TLS and plain connections in the same place. */
function handshakeBreakage(
  code: string,
  bytesRead: number | undefined,
  refusal: string | undefined,
): Breakage | undefined {
  if (bytesRead === 0) return undefined;
  if (refusal !== undefined) return 'tls-client-certificate';
  return BY_HANDSHAKE_CODE[code] ?? (CERTIFICATE_ALERT.test(code) ? 'tls-certificate' : 'tls-failed');
}

/** `undefined` for a lost connection: HAProxy resets each connection as soon as it has the status line. */
function requestBreakage({ code = '', rawPacket, bytesParsed }: ClientError): Breakage | undefined {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'too-slow';
  if (code === 'HPE_HEADER_OVERFLOW') return 'too-large';
  if (!code.startsWith('HPE_') || code === 'HPE_CLOSED_CONNECTION') return undefined; // CLOSED: after the last reply
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

/** llhttp reports the position of the wrong byte, or of the byte after it. */
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
