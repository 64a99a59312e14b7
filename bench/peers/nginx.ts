import { findProgram } from '../../test/support/processes/programs.js';
import { freePort } from '../../test/support/processes/ports.js';
import type { Workspace } from '../../test/support/processes/workspace.js';
import { type Peer, type PeerOptions, startPeer } from './peer.js';

/** What is usual: an answer is kept for a second, and given for as long as Patroni does not renew it. */
export const nginx: Peer = peer('nginx, use_stale', ({ upstreamPort }) => [
  cachingServer(`http://127.0.0.1:${upstreamPort}`, 'proxy_cache_use_stale updating error timeout;'),
]);

/**
 * Staleness is bounded: behind the caching server is a second server, which answers 503 if Patroni does not answer within a
 * second. The caching server caches this 503 like any other answer.
 */
export const nginxTwoHops: Peer = peer('nginx, two hops', ({ upstreamPort }, { dir }) => [
  cachingServer(`http://unix:${dir}/inner.sock:`, 'proxy_cache_use_stale updating;'),
  `server {
    listen unix:${dir}/inner.sock;
    location / {
      proxy_pass http://127.0.0.1:${upstreamPort};
      proxy_connect_timeout 1s;
      proxy_read_timeout 1s;
      error_page 502 504 =503 @down;
    }
    location @down { return 503; }
  }`,
]);

function cachingServer(upstream: string, useStale: string): string {
  return `server {
    LISTEN
    location / {
      proxy_pass ${upstream};
      proxy_cache checks;
      proxy_cache_key $request_uri;
      proxy_cache_valid any 1s;
      proxy_cache_lock on;
      proxy_cache_background_update on;
      ${useStale}
      proxy_ignore_headers Cache-Control Expires Set-Cookie Vary;
      proxy_connect_timeout 1s;
      proxy_read_timeout 2s;
    }
  }`;
}

function peer(name: string, servers: (options: PeerOptions, workspace: Workspace) => readonly string[]): Peer {
  return {
    name,
    speaksTls: true,
    async start(options) {
      const program = findProgram('nginx');
      const port = await freePort();
      return startPeer(name, port, async (workspace) => {
        const text = configuration(servers(options, workspace), workspace.dir);
        const file = await workspace.write('nginx.conf', text.replace('LISTEN', listen(port, options)));
        return [program, '-c', file, '-p', workspace.dir];
      });
    },
  };
}

function listen(port: number, { tls }: PeerOptions): string {
  const certificate = tls ? `ssl_certificate ${tls.cert}; ssl_certificate_key ${tls.key};` : '';
  return `listen 127.0.0.1:${port} backlog=4096${tls ? ' ssl' : ''}; ${certificate}`;
}

function configuration(servers: readonly string[], dir: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((of) => `${of}_temp_path ${dir}/${of};`);
  return `${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 1;
daemon off;
pid ${dir}/nginx.pid;
error_log stderr crit;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 1000000;
  ${temporary.join('\n  ')}
  proxy_cache_path ${dir}/cache keys_zone=checks:1m inactive=10m;
  ${servers.join('\n  ')}
}
`;
}
