import type { FrontendTls, Network } from '../config/types.js';
import { isAllowed } from '../network/allowed.js';
import { problem } from './reply.js';
import type { CheckRequest, Reply } from './types.js';

/** What decides who may see pages for people and monitoring. */
export interface PageRights {
  /** If absent, every client. */
  readonly allowPages?: readonly Network[];
  readonly tls?: Pick<FrontendTls, 'verifyClient'>;
}

/** The reply to a client that may not see pages for people and monitoring; `undefined` if it may. */
export function pageRefusal(request: CheckRequest, { allowPages, tls }: PageRights): Reply | undefined {
  const { connection = {}, proxyClient } = request;
  if (allowPages !== undefined && !isAllowed(allowPages, connection, proxyClient)) {
    return problem(403, 'only this host and the networks of frontend.allow-pages may see this page');
  }
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
