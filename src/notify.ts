import http from 'node:http';
import https from 'node:https';
import { type Socket, connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Config } from './config.js';
import { NotifyError } from './errors.js';
import { REFRESH_PATH } from './http/refresh.js';

const WITHIN_MS = 1000;

/** Where somebody on this host reaches what listens everywhere. */
const HERE: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

/**
 * Tells the service that runs by this configuration to ask Patroni now.
 *
 * @throws NotifyError when it does not answer within a second, or refuses
 */
export async function notify({ frontend }: Config): Promise<void> {
  const { host, port, tls } = frontend;
  const place = `${host} port ${port}`;
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const options = {
      createConnection: () => open(frontend),
      path: REFRESH_PATH,
      method: 'POST',
      headers: { 'Content-Length': 0 },
      signal: AbortSignal.timeout(WITHIN_MS),
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

function open({ host, port, tls, proxyProtocol }: Config['frontend']): Socket {
  const socket = connect(port, HERE[host] ?? host);
  if (proxyProtocol) socket.write('PROXY UNKNOWN\r\n'); // who speaks for itself: section 2.1 of the protocol
  // Any certificate: nothing is told that anybody could use, and nothing is believed.
  return tls ? connectTls({ socket, rejectUnauthorized: false }) : socket;
}
