import { Agent as HttpAgent } from 'node:http';
import { type AgentOptions, Agent as HttpsAgent } from 'node:https';
import { type Socket, isIP } from 'node:net';
import { type SecureContext, TLSSocket, createSecureContext } from 'node:tls';
import { withoutZone } from '../network/authority.js';
import type { Validity } from '../certificates/validity.js';
import { validityOf } from '../certificates/pem.js';
import { checkNames } from '../certificates/names.js';

/** How connections to the upstream are made. */
export interface UpstreamAgentOptions {
  /** A name, or an address, which may have a zone. */
  readonly host: string;
  readonly scheme: 'http' | 'https';
  /** The longest a TCP connection may take, in milliseconds. */
  readonly connectMs: number;
  /** The most bytes that a connection may bring, whatever they are: a body in chunks of one byte, endless 1xx. */
  readonly maxBytes: number;
  /** For `https`. */
  readonly tls: UpstreamTls;
  /** Told of the certificate that the upstream has shown, at each handshake that is accepted. */
  readonly onCertificate?: ((validity: Validity) => void) | undefined;
}

/** How the upstream is believed: PEM texts, and whether its certificate is checked. */
export interface UpstreamTls {
  readonly insecure: boolean;
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** The name or the address that the upstream's certificate must have, where that is not the one that is asked. */
  readonly servername?: string | undefined;
}

/** Node's own is 250 ms, and its least is 10. */
const ADDRESS_ATTEMPT_MS = { least: 10, most: 250 };

/**
 * A connection that is silent for so long is probed by the kernel (TCP keepalive), whose peer's kernel answers, also for a
 * frozen process. One of a host that was started again resets the connection, and Patroni is asked anew.
 */
const PROBE_AFTER_MS = 1000;

/**
 * An agent that gives each poll a connection of its own, closed with the answer: Patroni serves its API from a few
 * workers without a socket time-out, and idle clients freeze it (patroni issue 3705).
 *
 * A connection that is not made within `connectMs` is given up. A frozen upstream's accept queue is soon full, and the
 * kernel then repeats its SYN after 1, 3, 7 s: a poll that waited for that would sleep through the thaw, where a new
 * one gets through at once. Of several addresses each gets its share of that time.
 */
export function createUpstreamAgent(options: UpstreamAgentOptions): HttpAgent | HttpsAgent {
  const { host, scheme, connectMs, maxBytes, tls, onCertificate } = options;
  const { least, most } = ADDRESS_ATTEMPT_MS;
  const autoSelectFamilyAttemptTimeout = Math.min(most, Math.max(least, Math.floor(connectMs / 3)));
  const common = { keepAlive: false, autoSelectFamily: true, autoSelectFamilyAttemptTimeout };
  const agent = scheme === 'http' ? new HttpAgent(common) : new HttpsAgent({ ...common, ...tlsOptions(tls) });
  const secured = scheme === 'http' ? () => ({}) : once(() => ({ secureContext: secureContextOf(tls) }));
  const zoned = withoutZone(host) === host ? {} : { host }; // the URL that is asked has none
  const createConnection = agent.createConnection.bind(agent);
  agent.createConnection = (connectOptions, callback) => {
    const socket = createConnection({ ...connectOptions, ...zoned, ...secured() }, callback) as Socket;
    giveUpConnecting(socket, connectMs);
    socket.setKeepAlive(true, PROBE_AFTER_MS);
    boundBytes(socket, maxBytes);
    if (onCertificate && socket instanceof TLSSocket) tellCertificate(socket, onCertificate);
    return socket;
  };
  return agent;
}

/**
 * Each connection makes a whole handshake: one that resumes a session checks neither the certificate's name nor its dates,
 * and each brings the ticket for the next, so that a certificate would be checked once and then never again.
 */
function tlsOptions({ insecure, servername }: UpstreamTls): AgentOptions {
  return {
    rejectUnauthorized: !insecure,
    maxCachedSessions: 0,
    checkServerIdentity: (asked, certificate) => checkNames(servername ?? withoutZone(asked), certificate),
    // Server Name Indication is for names alone: RFC 6066, section 3
    ...(servername !== undefined && { servername: isIP(servername) === 0 ? servername : '' }),
  };
}

/** Parsed once an upstream: a distribution's bundle of CAs takes some 30 ms, which each poll took from the event loop. */
function secureContextOf({ ca, cert, key }: UpstreamTls): SecureContext {
  return createSecureContext({ ca, cert, key });
}

function tellCertificate(socket: TLSSocket, onCertificate: (validity: Validity) => void): void {
  socket.once('secureConnect', () => {
    const certificate = socket.getPeerX509Certificate();
    if (certificate) onCertificate(validityOf(certificate));
  });
}

/** The value that `make` gives when it is asked for first. What `make` throws is not kept. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

function giveUpConnecting(socket: Socket, connectMs: number): void {
  let lastTurn: NodeJS.Immediate | undefined;
  const timer = setTimeout(() => {
    // after the sockets were looked at once more: timers that are late come before what has come meanwhile
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

function boundBytes(socket: Socket, maxBytes: number): void {
  // Once connected, when the HTTP client reads already: a reader before it would take its first bytes.
  socket.once('connect', () => {
    let bytes = 0;
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > maxBytes) socket.destroy(withCode('ERR_TOO_LARGE', `more than ${maxBytes} bytes`));
    });
  });
}

/** An error that is classified by its code. */
export function withCode(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
