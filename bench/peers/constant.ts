import { fileURLToPath } from 'node:url';
import { freePort } from '../../test/support/processes/ports.js';
import { type Peer, startPeer } from './peer.js';

const file = fileURLToPath(new URL('./constant-process.js', import.meta.url));

/** The least that a Node server can be: it answers a constant, and asks nobody. */
export const nodeHttp: Peer = constant('node:http, a constant', 'http');

/** The same without an HTTP parser: whatever comes is answered with the same bytes. */
export const nodeNet: Peer = constant('node:net, a constant', 'net');

function constant(name: string, kind: 'http' | 'net'): Peer {
  return {
    name,
    speaksTls: kind === 'http',
    async start({ tls }) {
      const port = await freePort();
      const files = tls ? [tls.cert, tls.key] : [];
      return startPeer(name, port, () => Promise.resolve([process.execPath, file, kind, String(port), ...files]));
    },
  };
}
