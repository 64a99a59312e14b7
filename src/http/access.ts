import type { FrontendTls } from '../config/types.js';
import { problem } from './reply.js';
import type { CheckRequest, Reply } from './types.js';

/** What decides who may see pages for people and monitoring. */
export interface PageRights {
  readonly tls?: Pick<FrontendTls, 'verifyClient'>;
}

/** The reply to a client that may not see pages for people and monitoring; `undefined` if it may. */
export function pageRefusal(request: CheckRequest, { tls }: PageRights): Reply | undefined {
  return certificateRefusal(request, tls);
}

/**
 * The reply to a client that has no valid certificate, for a request that needs one; `undefined` if it has one, or needs none.
 * With `verify-client: required` such a client gets no further than the handshake, unless it was connected before a reload.
 */
export function certificateRefusal({ hasBody, connection }: CheckRequest, tls: PageRights['tls']): Reply | undefined {
  if (tls === undefined || tls.verifyClient === 'none' || connection?.authorized === true) return undefined;
  const detail = `this needs a client certificate that frontend.cafile has signed (frontend.verify-client: ${tls.verifyClient})`;
  return problem(403, detail, {}, hasBody ? { Connection: 'close' } : {});
}
