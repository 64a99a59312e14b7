import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { createCertificates } from '../support/certificates.js';
import { curl } from '../support/clients/curl.js';
import { command, parseStates } from '../support/cluster/haproxy.js';
import { run } from '../support/processes/processes.js';
import { freePort } from '../support/processes/ports.js';
import { findPrograms, skipReason } from '../support/processes/programs.js';
import { mainFile } from '../support/processes/main-file.js';
import { type Service, startService } from '../support/processes/service.js';
import { type Upstream, answering, startUpstream } from '../support/upstreams/upstream.js';
import { eventually } from '../support/time/wait.js';
import { createWorkspace, type Workspace } from '../support/processes/workspace.js';

/** What asks, from an address of its own. */
const CLIENT = '127.0.0.77';

describe('frontend.proxy-protocol, at a real HAProxy', { skip: await skipReason() }, () => {
  for (const scheme of ['http', 'https'] as const) {
    describe(`over ${scheme}`, () => {
      let workspace: Workspace;
      let upstream: Upstream;
      let service: Service;
      let socket: string;
      const ports: Record<string, number> = {};
      before(async () => {
        workspace = await createWorkspace();
        upstream = await startUpstream();
        upstream.behave(answering(200));
        const { server, ca } = await createCertificates(workspace.dir);
        const tls = scheme === 'https' && { certfile: server.cert, keyfile: server.key };
        service = await startService({
          config: {
            frontend: { 'proxy-protocol': true, logformat: 'asked by %a: %U', ...tls },
            backend: { host: '127.0.0.1', port: upstream.port },
          },
          prologue: 'PROXY UNKNOWN\r\n',
          ...(scheme === 'https' && { tls: { caFile: ca.cert } }),
        });
        for (const name of ['v1', 'v2']) ports[name] = await freePort();
        socket = workspace.path('stats.sock');
        const checkSsl = scheme === 'https' ? ' check-ssl verify none' : '';
        const ssl = scheme === 'https' ? ' ssl verify none' : '';
        const check = `option httpchk GET /primary\n    server glue 127.0.0.1:${service.port} check inter 200ms${checkSsl}`;
        const file = await workspace.write(
          'haproxy.cfg',
          `
global
    stats socket ${socket} mode 600 level admin
defaults
    mode tcp
    timeout connect 4s
    timeout client 4s
    timeout server 4s
listen v1
    bind 127.0.0.1:${ports['v1']}
    server glue 127.0.0.1:${service.port} send-proxy${ssl}
listen v2
    bind 127.0.0.1:${ports['v2']}
    server glue 127.0.0.1:${service.port} send-proxy-v2${ssl}
backend check-v1
    ${check} check-send-proxy
backend check-v2
    ${check} check-send-proxy send-proxy-v2
backend check-v2-with-all
    ${check} check-send-proxy send-proxy-v2-ssl-cn proxy-v2-options crc32c,unique-id
backend check-without
    ${check}
`,
        );
        const { haproxy } = findPrograms();
        await workspace.run('haproxy -c', haproxy, ['-c', '-f', file]);
        await workspace.start('haproxy', haproxy, ['-db', '-f', file]);
      });
      after(async () => {
        await service.close();
        await upstream.close();
        await workspace.close();
      });

      const states = async () => parseStates(await command(socket, 'show stat'));
      const statusThrough = (port: number | undefined): Promise<number | undefined> =>
        new Promise((resolve, reject) => {
          request({ host: '127.0.0.1', port, path: '/primary', localAddress: CLIENT, agent: false }, (response) => {
            response.resume();
            resolve(response.statusCode);
          })
            .once('error', reject)
            .end();
        });

      for (const name of ['check-v1', 'check-v2', 'check-v2-with-all']) {
        it(`is answered: ${name}`, async () => {
          await eventually('up', 10_000, async () => {
            const state = (await states())[`${name}/glue`];
            if (state?.up && state.check === 'L7OK' && state.code === '200') return true;
            throw new Error(`${state?.status ?? ''} ${state?.lastCheck ?? ''}`);
          });
        });
      }

      it('is refused without a header, and the log says why, once', async () => {
        await eventually('down', 10_000, async () => (await states())['check-without/glue']?.status === 'DOWN');
        const lines = service
          .output()
          .match(/warn: 127\.0\.0\.1 sent no valid PROXY header: the connection begins with other bytes; .*/g);
        assert.equal(lines?.length, 1);
      });

      for (const version of ['v1', 'v2']) {
        it(`names the client behind HAProxy in the log: send-proxy, ${version}`, async () => {
          const before = service.output().length;
          assert.equal(await statusThrough(ports[version]), 200);
          await eventually('logged', 5000, () =>
            service.output().slice(before).includes(`asked by ${CLIENT}: /primary`),
          );
        });
      }

      it('is what --notify speaks', async () => {
        const args = [mainFile, '--config', service.configFile, '--notify'];
        await run('patroniglue --notify', process.execPath, args, { env: { PATH: process.env['PATH'] ?? '' } });
      });

      it('is what curl --haproxy-protocol speaks, as in the callback for Patroni', async () => {
        const url = `${scheme}://127.0.0.1:${service.port}/-/refresh`;
        await curl('-fk', '--haproxy-protocol', '-X', 'POST', url);
      });
    });
  }
});
