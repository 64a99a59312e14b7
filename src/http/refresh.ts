import type { Network } from '../config/types.js';
import { isAllowed } from '../network/allowed.js';
import { type PageRights, certificateRefusal } from './access.js';
import { textReply } from './reply.js';
import { type CheckRequest, REFRESH_PATH, type Reply } from './types.js';

/** Who may send `POST /-/refresh`: this host and these networks, with a certificate if clients need one. */
export interface RefreshRights extends PageRights {
  readonly refreshFrom: readonly Network[];
}

/** The reply to `POST /-/refresh`. Calls `refresh` if the client may ask. */
export function refreshReply(request: CheckRequest, rights: RefreshRights, refresh: () => void): Reply {
  const { method, hasBody, connection = {}, proxyClient } = request;
  if (method !== 'POST') return refused(405, `${REFRESH_PATH} accepts POST only`, { Allow: 'POST' }, hasBody);
  if (hasBody) return refused(413, `${REFRESH_PATH} accepts no body`, {}, hasBody);
  if (!isAllowed(rights.refreshFrom, connection, proxyClient)) {
    return refused(403, 'only this host and the networks of frontend.refresh-from may ask', {}, hasBody);
  }
  const refusal = certificateRefusal(request, rights.tls);
  if (refusal) return refusal;
  refresh();
  return textReply(202, 'patroniglue polls Patroni now\n');
}

function refused(status: number, why: string, headers: Reply['headers'], hasBody: boolean): Reply {
  return textReply(status, `${why}\n`, undefined, { ...headers, ...(hasBody && { Connection: 'close' }) });
}
