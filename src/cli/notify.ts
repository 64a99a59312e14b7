import http, { type RequestOptions } from 'node:http';
import https from 'node:https';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Config } from '../config/types.js';
import { NotifyError } from '../errors.js';
import { REFRESH_PATH } from '../http/types.js';

const WITHIN_MS = 1000;

/** Where somebody on this host reaches what listens everywhere. */
const HERE: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

/**
 * Tells the service that runs by this configuration to ask Patroni now.
 *
 * @throws NotifyError when it does not answer within a second, or refuses
 */
export async function notify({ frontend }: Config): Promise<void> {
  const { host, port, tls, proxyProtocol } = frontend;
  const place = `${host} port ${port}`;
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const options = {
      host: HERE[host] ?? host,
      port,
      path: REFRESH_PATH,
      method: 'POST',
      headers: { 'Content-Length': 0 },
      signal: AbortSignal.timeout(WITHIN_MS),
      rejectUnauthorized: false, // nothing is told that anybody could use, and nothing is believed
      ...(proxyProtocol && { createConnection: openWithHeader(tls !== undefined) }),
    };
    const { request } = tls ? https : http;
    request(options, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on('error', (error) => {
        const why = error.name === 'AbortError' ? `no answer within ${WITHIN_MS / 1000} s` : error.message;
        reject(new NotifyError(`patroniglue at ${place} was not told: ${why}`));
      })
      .end();
  });
  if (status !== 202) throw new NotifyError(`patroniglue at ${place} was not told: it answers ${status}`);
}

/** For a request: makes a connection whose PROXY header says that it speaks for itself ("The PROXY protocol", section 2.1). */
function openWithHeader(tls: boolean): NonNullable<RequestOptions['createConnection']> {
  return ({ host, port }, made) => {
    const socket = connect(Number(port), host ?? undefined);
    const fail = (error: Error): void => {
      made(error, socket);
    };
    socket.once('error', fail).once('connect', () => {
      socket.off('error', fail);
      socket.write('PROXY UNKNOWN\r\n');
      made(null, tls ? connectTls({ socket, rejectUnauthorized: false }) : socket);
    });
    return undefined;
  };
}
