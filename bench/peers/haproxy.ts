import { findPrograms } from '../../test/support/processes/programs.js';
import { freePort } from '../../test/support/processes/ports.js';
import { type Peer, startPeer } from './peer.js';

/** Its own small cache: of 200s alone, for a second. */
export const haproxyCache: Peer = {
  name: "HAProxy's cache",
  // It does, but passes Patroni's answers on as they come, without a length; their end, over TLS, is an error to wrk.
  speaksTls: false,
  async start({ upstreamPort }) {
    const { haproxy } = findPrograms();
    const port = await freePort();
    return startPeer(haproxyCache.name, port, async (workspace) => {
      const file = await workspace.write('haproxy.cfg', configuration(port, upstreamPort));
      return [haproxy, '-db', '-f', file];
    });
  },
};

function configuration(port: number, upstreamPort: number): string {
  return `global
    nbthread 1
    maxconn 4096
defaults
    mode http
    timeout connect 1s
    timeout server 2s
    timeout client 10s
cache checks
    total-max-size 4
    max-age 1
frontend checks
    bind 127.0.0.1:${port}
    default_backend patroni
backend patroni
    http-request cache-use checks
    http-response set-header Cache-Control max-age=1
    http-response cache-store checks
    server patroni 127.0.0.1:${upstreamPort}
`;
}
