import http, { type IncomingMessage, type RequestOptions } from 'node:http';
import https from 'node:https';
import { connect } from 'node:net';
import { TLSSocket, connect as connectTls } from 'node:tls';
import { type Validity, validityOf } from '../certificates/validity.js';
import type { Config, KeyPair } from '../config/types.js';
import { messageOf } from '../errors.js';

/** What the command line asks of the service that runs with a configuration. */
export interface ServiceQuestion {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** The longest time to the last byte, in milliseconds. */
  readonly withinMs: number;
}

/** A reply of the running service. */
export interface ServiceReply {
  readonly status: number;
  readonly body: string;
  /** The dates of the certificate that the front end shows. */
  readonly certificate?: Validity;
}

/**
 * Why there is no reply: nobody listens (`refused`), it came too late (`late`), the connection was ended before it (`ended`),
 * or anything else.
 */
export type Silence = 'refused' | 'late' | 'ended' | 'other';

/** No reply of the running service. The message has the reason in words. */
export class SilentService extends Error {
  override readonly name = 'SilentService';
  readonly silence: Silence;

  constructor(silence: Silence, message: string, cause: unknown) {
    super(message, { cause });
    this.silence = silence;
  }
}

/** The most characters of a reply. A page of metrics has a hundredth of it; another program at the port may never end. */
const MAX_BODY = 4_194_304;

/** patroniglue listens on all addresses of the host: its address for a client on the same host. */
const LOOPBACK_OF: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

/**
 * Asks the service that runs with this configuration, at its configured address.
 *
 * @throws SilentService if the service does not answer in time
 */
export async function askService({ frontend, backend }: Config, question: ServiceQuestion): Promise<ServiceReply> {
  const { host, port, tls, proxyProtocol } = frontend;
  const { method, path, withinMs } = question;
  const pair = wantsCertificate(frontend) ? (pairOf(backend.tls) ?? pairOf(frontend.tls ?? {})) : {};
  const signal = AbortSignal.timeout(withinMs);
  const options: RequestOptions = {
    host: LOOPBACK_OF[host] ?? host,
    port,
    path,
    method,
    headers: { 'Content-Length': 0 },
    signal,
    ...pair,
    ...(proxyProtocol && { createConnection: connectWithProxyHeader(tls && pair) }),
  };
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const { request } = tls ? https : http;
      // the request holds no secret, and nothing in the answer is more than a hint to a person
      const asked = request({ ...options, ...(tls && { rejectUnauthorized: false }) }, resolve);
      asked.on('error', reject).end();
    });
    const certificate = certificateOf(response);
    let body = '';
    for await (const chunk of response.setEncoding('utf8')) {
      body += String(chunk);
      if (body.length > MAX_BODY) throw new Error(`its reply has more than ${MAX_BODY} characters`);
    }
    return { status: response.statusCode ?? 0, body, ...(certificate && { certificate }) };
  } catch (error) {
    if (signal.aborted) throw new SilentService('late', `no answer within ${withinMs / 1000} s`, error);
    throw new SilentService(silenceOf(error), messageOf(error), error);
  }
}

function silenceOf(error: unknown): Silence {
  const code = (error as { readonly code?: unknown }).code;
  if (code === 'ECONNREFUSED') return 'refused';
  return code === 'ECONNRESET' || code === 'EPIPE' ? 'ended' : 'other';
}

/** What to look at if a service refuses the command line; `undefined` if it asks for no client certificate. */
export function certificateHint({ frontend }: Config): string | undefined {
  return wantsCertificate(frontend)
    ? 'with frontend.verify-client, the command line shows the certificate of backend.certfile, or else of ' +
        'frontend.certfile: frontend.cafile must have signed it, for clients (extendedKeyUsage clientAuth)'
    : undefined;
}

function wantsCertificate({ tls }: Config['frontend']): boolean {
  return tls !== undefined && tls.verifyClient !== 'none';
}

type Pair = Partial<Pick<KeyPair, 'cert' | 'key'>>;

/** A certificate with its key, as a client shows it. */
function pairOf({ cert, key }: Pair): Pair | undefined {
  return cert === undefined || key === undefined ? undefined : { cert, key };
}

function certificateOf({ socket }: IncomingMessage): Validity | undefined {
  const shown = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
  return shown && validityOf(shown);
}

/**
 * Opens a connection with a PROXY header that names no other client: `UNKNOWN` ("The PROXY protocol", section 2.1).
 *
 * @param tls the client certificate, if there is one; `undefined` for plain HTTP
 */
function connectWithProxyHeader(tls: Pair | undefined): NonNullable<RequestOptions['createConnection']> {
  return ({ host, port }, made) => {
    const socket = connect(Number(port), host ?? undefined);
    const fail = (error: Error): void => {
      made(error, socket);
    };
    socket.once('error', fail).once('connect', () => {
      socket.off('error', fail);
      socket.write('PROXY UNKNOWN\r\n');
      made(null, tls ? connectTls({ socket, rejectUnauthorized: false, ...tls }) : socket);
    });
    return undefined;
  };
}
