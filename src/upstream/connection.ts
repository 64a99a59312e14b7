import { Agent as HttpAgent } from 'node:http';
import { type AgentOptions, Agent as HttpsAgent } from 'node:https';
import { type Socket, isIP } from 'node:net';
import { type SecureContext, TLSSocket, createSecureContext } from 'node:tls';
import { withoutZone } from '../network/authority.js';
import { type Validity, validityOf } from '../certificates/validity.js';
import { checkNames } from '../certificates/names.js';
import { withCode } from './coded-error.js';

/** How connections to the upstream are made. */
export interface UpstreamAgentOptions {
  /** A name or an address. An address may have a zone. */
  readonly host: string;
  readonly scheme: 'http' | 'https';
  /** The longest time to make a TCP connection, in milliseconds. */
  readonly connectMs: number;
  /** The most bytes that a connection may receive. Counts all bytes: chunk sizes and 1xx responses, too. */
  readonly maxBytes: number;
  /** For `https`. */
  readonly tls: UpstreamTls;
  /** Called with the dates of the upstream's certificate after each successful handshake. */
  readonly onCertificate?: ((validity: Validity) => void) | undefined;
}

/** How connections to the upstream use TLS. Certificates and key are PEM texts. */
export interface UpstreamTls {
  /** True if the upstream's certificate is not checked. */
  readonly insecure: boolean;
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** The name or address that the upstream's certificate must have, if it differs from `host`. */
  readonly servername?: string | undefined;
}

/** The time for each of several addresses. Node's default is 250 ms, its minimum 10 ms. */
const ADDRESS_ATTEMPT_MS = { least: 10, most: 250 };

/**
 * After this time without data, the kernel probes the connection (TCP keepalive). The other host's kernel answers the probe,
 * even for a frozen process. If the other host has restarted, its kernel resets the connection, and patroniglue asks again.
 */
const PROBE_AFTER_MS = 1000;

/**
 * An HTTP agent that makes a new connection for each poll and closes it after the answer. Patroni serves its API from a few
 * workers without a socket time-out, so idle clients freeze it (patroni issue 3705).
 *
 * The agent gives up a connection that is not made within `connectMs`. The accept queue of a frozen upstream is soon full,
 * and the kernel then repeats the SYN only after 1, 3 and 7 s. A poll that waits for this would miss the end of the freeze;
 * a new connection succeeds at once. Several addresses share the time.
 */
export function createUpstreamAgent(options: UpstreamAgentOptions): HttpAgent | HttpsAgent {
  const { host, scheme, connectMs, maxBytes, tls, onCertificate } = options;
  const common = { keepAlive: false, ...tryingAddresses(connectMs) };
  const agent = scheme === 'http' ? new HttpAgent(common) : new HttpsAgent({ ...common, ...tlsOptions(tls) });
  const secured = scheme === 'http' ? () => ({}) : once(() => ({ secureContext: secureContextOf(tls) }));
  const zoned = withoutZone(host) === host ? {} : { host }; // the URL has no zone
  const createConnection = agent.createConnection.bind(agent);
  agent.createConnection = (connectOptions, callback) => {
    const socket = createConnection({ ...connectOptions, ...zoned, ...secured() }, callback) as Socket;
    giveUpConnecting(socket, connectMs);
    socket.setKeepAlive(true, PROBE_AFTER_MS);
    limitBytes(socket, maxBytes);
    if (onCertificate && socket instanceof TLSSocket) reportCertificate(socket, onCertificate);
    return socket;
  };
  return agent;
}

/** Options of a connection that tries several addresses one after another within `connectMs` milliseconds. */
export function tryingAddresses(connectMs: number) {
  const { least, most } = ADDRESS_ATTEMPT_MS;
  const autoSelectFamilyAttemptTimeout = Math.min(most, Math.max(least, Math.floor(connectMs / 3)));
  return { autoSelectFamily: true, autoSelectFamilyAttemptTimeout } as const;
}

/**
 * Each connection makes a full handshake. A handshake that resumes a session checks neither the name nor the dates of the
 * certificate, and each one brings the ticket for the next: with resumption, only the first handshake would check them.
 */
function tlsOptions({ insecure, servername }: UpstreamTls): AgentOptions {
  return {
    rejectUnauthorized: !insecure,
    maxCachedSessions: 0,
    checkServerIdentity: (asked, certificate) => checkNames(servername ?? withoutZone(asked), certificate),
    // Server Name Indication must not be an address: RFC 6066, section 3
    ...(servername !== undefined && { servername: isIP(servername) === 0 ? servername : '' }),
  };
}

/** Called once for an upstream: to parse a distribution's bundle of CAs blocks the event loop for about 30 ms. */
function secureContextOf({ ca, cert, key }: UpstreamTls): SecureContext {
  return createSecureContext({ ca, cert, key });
}

function reportCertificate(socket: TLSSocket, onCertificate: (validity: Validity) => void): void {
  socket.once('secureConnect', () => {
    const certificate = socket.getPeerX509Certificate();
    if (certificate) onCertificate(validityOf(certificate));
  });
}

/** Calls `make` at the first use and keeps its value. If `make` throws, the next use calls it again. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

/** Destroys a socket with ETIMEDOUT if it is not connected within `connectMs` milliseconds. */
export function giveUpConnecting(socket: Socket, connectMs: number): void {
  let lastTurn: NodeJS.Immediate | undefined;
  const timer = setTimeout(() => {
    // Wait until the event loop has read the sockets once more: it runs late timers before it reads what came meanwhile.
    lastTurn = setImmediate(() => {
      socket.destroy(withCode('ETIMEDOUT', `not connected within ${connectMs / 1000} s`));
    });
  }, connectMs);
  const disarm = (): void => {
    clearTimeout(timer);
    clearImmediate(lastTurn);
  };
  socket.once('connect', disarm).once('close', disarm);
}

function limitBytes(socket: Socket, maxBytes: number): void {
  // Listen for data only after `connect`, when the HTTP client reads already: an earlier listener would take its first bytes.
  socket.once('connect', () => {
    let bytes = 0;
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > maxBytes) socket.destroy(withCode('ERR_TOO_LARGE', `more than ${maxBytes} bytes`));
    });
  });
}
