import http from 'node:http';
import https from 'node:https';
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
export async function notify({ frontend: { host, port, tls } }: Config): Promise<void> {
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
