import http, { type RequestOptions } from 'node:http';
import https from 'node:https';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Config, KeyPair } from '../config/types.js';
import { NotifyError } from '../errors.js';
import { REFRESH_PATH } from '../http/types.js';

const WITHIN_MS = 1000;

/** patroniglue listens on all addresses of the host: its address for a client on the same host. */
const LOOPBACK_OF: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

/**
 * Makes the running service of this configuration poll Patroni now.
 *
 * @throws NotifyError when the service does not answer within a second, or refuses
 */
export async function notify({ frontend, backend }: Config): Promise<void> {
  const { host, port, tls, proxyProtocol } = frontend;
  const address = `${host} port ${port}`;
  const wantsCertificate = tls !== undefined && tls.verifyClient !== 'none';
  const pair = wantsCertificate ? (pairOf(backend.tls) ?? pairOf(tls)) : {};
  const hint = wantsCertificate ? `; ${CERTIFICATE_HINT}` : '';
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const options = {
      host: LOOPBACK_OF[host] ?? host,
      port,
      path: REFRESH_PATH,
      method: 'POST',
      headers: { 'Content-Length': 0 },
      signal: AbortSignal.timeout(WITHIN_MS),
      rejectUnauthorized: false, // the request holds no secret, and only the status of the answer is read
      ...pair,
      ...(proxyProtocol && { createConnection: connectWithProxyHeader(tls && pair) }),
    };
    const { request } = tls ? https : http;
    request(options, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on('error', (error) => {
        const why = error.name === 'AbortError' ? `no answer within ${WITHIN_MS / 1000} s` : error.message;
        reject(new NotifyError(`cannot notify patroniglue at ${address}: ${why}${hint}`));
      })
      .end();
  });
  if (status !== 202) throw new NotifyError(`cannot notify patroniglue at ${address}: it answers ${status}${hint}`);
}

const CERTIFICATE_HINT =
  'with frontend.verify-client, --notify shows the certificate of backend.certfile, or else of frontend.certfile: ' +
  'frontend.cafile must have signed it, for clients (extendedKeyUsage clientAuth)';

type Pair = Partial<Pick<KeyPair, 'cert' | 'key'>>;

/** A certificate with its key, as a client shows it. */
function pairOf({ cert, key }: Pair): Pair | undefined {
  return cert === undefined || key === undefined ? undefined : { cert, key };
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
