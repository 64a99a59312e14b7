import type { Config } from '../config/types.js';
import { NotifyError, messageOf } from '../errors.js';
import { REFRESH_PATH } from '../http/types.js';
import { type ServiceReply, askService, certificateHint } from './running-service.js';

const WITHIN_MS = 1000;

/**
 * Makes the running service of this configuration poll Patroni now.
 *
 * @throws NotifyError when the service does not answer within a second, or refuses
 */
export async function notify(config: Config): Promise<void> {
  const { host, port } = config.frontend;
  const address = `${host} port ${port}`;
  const certificate = certificateHint(config);
  const hint = certificate === undefined ? '' : `; ${certificate}`;
  let reply: ServiceReply;
  try {
    reply = await askService(config, { method: 'POST', path: REFRESH_PATH, withinMs: WITHIN_MS });
  } catch (cause) {
    throw new NotifyError(`cannot notify patroniglue at ${address}: ${messageOf(cause)}${hint}`, { cause });
  }
  if (reply.status !== 202) {
    throw new NotifyError(`cannot notify patroniglue at ${address}: it answers ${reply.status}${hint}`);
  }
}
