import { findProgram } from '../../test/support/processes/programs.js';
import { freePort } from '../../test/support/processes/ports.js';
import { type Peer, startPeer } from './peer.js';

/** An answer is kept for a second, and given for ten more while Patroni does not renew it. */
export const varnish: Peer = {
  name: 'varnish, 10 s of grace',
  speaksTls: false,
  async start({ upstreamPort }) {
    const program = findProgram('varnish');
    const port = await freePort();
    return startPeer(varnish.name, port, async (workspace) => {
      const file = await workspace.write('varnish.vcl', configuration(upstreamPort));
      const storage = ['-s', 'malloc,32m'];
      return [program, '-F', '-j', 'none', '-n', workspace.dir, '-a', `127.0.0.1:${port}`, '-f', file, ...storage];
    });
  },
};

function configuration(upstreamPort: number): string {
  return `vcl 4.1;
backend patroni {
  .host = "127.0.0.1";
  .port = "${upstreamPort}";
  .connect_timeout = 1s;
  .first_byte_timeout = 2s;
  .between_bytes_timeout = 2s;
}
sub vcl_recv { return (hash); }
sub vcl_backend_response {
  set beresp.ttl = 1s;
  set beresp.grace = 10s;
  set beresp.uncacheable = false;
  return (deliver);
}
`;
}
