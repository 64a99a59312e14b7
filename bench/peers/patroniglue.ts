import { stringify } from 'yaml';
import { freePort } from '../../test/support/processes/ports.js';
import { mainFile } from '../../test/support/processes/main-file.js';
import { type Peer, startPeer } from './peer.js';

/** The service as users run it: defaults, and no line a request. */
export const patroniglue: Peer = {
  name: 'patroniglue',
  speaksTls: true,
  async start({ upstreamPort, tls }) {
    const port = await freePort();
    const files = tls && { certfile: tls.cert, keyfile: tls.key };
    const config = {
      frontend: { host: '127.0.0.1', port, ...files },
      backend: { host: '127.0.0.1', port: upstreamPort },
    };
    return startPeer('patroniglue', port, async (workspace) => {
      const file = await workspace.write('config.yml', stringify(config));
      return [process.execPath, mainFile, '--config', file];
    });
  },
};
