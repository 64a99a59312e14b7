import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createCertificates, withoutOpenssl, type Certificates } from '../../support/certificates.js';
import { startService, type Service, type ServiceOptions } from '../../support/processes/service.js';
import {
  startUpstream,
  type Behaviour,
  type Upstream,
  type UpstreamOptions,
} from '../../support/upstreams/upstream.js';

const LEADS = [
  '/',
  '/primary',
  '/master',
  '/read-write',
  '/leader',
  '/read-only',
  '/read-only-sync',
  '/read-only-synchronous',
  '/health',
];
const GET_ONLY = ['/liveness', '/readiness', '/patroni', '/cluster', '/history', '/config', '/metrics'];
const COMPARED_WHOLE = /^\/(?:sync|read-only-sync(?:hronous)?)\/$/;

interface ScriptedAnswer {
  readonly status: number;
  readonly contentType?: string;
  readonly body?: string;
}

/** A scripted Patroni that is a primary; `change` has the last word on a `GET`. */
function primary(change: (path: string, answer: ScriptedAnswer) => ScriptedAnswer = (_, answer) => answer): Behaviour {
  return (socket, head) => {
    const [method = '', target = ''] = head.split(' ');
    const origin = target.replace(/^\/+/, '/').replace(/^http:\/\/[^/]+/i, ''); // as Python's server and urlparse do
    const path = origin.replace(/\?.*/, '');
    const known = COMPARED_WHOLE.test(path) ? path : path.replace(/(?<=.)\/$/, '');
    const isOk = LEADS.includes(known) || (method === 'GET' && GET_ONLY.includes(known));
    const body = '{"state": "running", "role": "primary", "patroni": {"version": "3.0.2"}, "tags": {"zone": "a b"}}';
    const answer = change(known, { status: isOk ? 200 : 503, contentType: 'application/json', body });
    const header = answer.contentType === undefined ? '' : `Content-Type: ${answer.contentType}\r\n`;
    const rest = method === 'GET' ? `${header}\r\n${answer.body ?? ''}` : '\r\n';
    socket.end(`HTTP/1.0 ${method === 'GET' ? answer.status : isOk ? 200 : 503} Some Reason\r\n${rest}`);
  };
}

const mainFile = fileURLToPath(new URL('main.js', import.meta.url));

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function runMain(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [mainFile, ...args],
      { timeout: 60_000, maxBuffer: 2 ** 26 },
      (error, stdout, stderr) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, stdout, stderr });
      },
    );
  });
}

const noOpenssl = await withoutOpenssl();

describe('npm run conformance', () => {
  const closers: (() => Promise<void>)[] = [];
  after(() => Promise.all(closers.map((close) => close())));

  const scripted = async (behaviour: Behaviour, options?: UpstreamOptions): Promise<Upstream> => {
    const upstream = await startUpstream(options);
    upstream.behave(behaviour);
    closers.push(() => upstream.close());
    return upstream;
  };
  const patroniglue = async (
    sections: { readonly backend: object; readonly cache?: object; readonly frontend?: object },
    tls?: ServiceOptions['tls'],
  ): Promise<Service> => {
    const cache = { ttl: 4, interval: 1, 'slow-interval': 1, 'slow-ttl': 4, learn: 1000, ...sections.cache };
    const config = { frontend: { ...sections.frontend }, backend: { host: '127.0.0.1', ...sections.backend }, cache };
    const service = await startService({ config, flags: [], tls });
    closers.push(() => service.close());
    return service;
  };

  const urls = (...ports: readonly number[]): string[] => ports.map((port) => `http://127.0.0.1:${port}`);
  const quick = ['--concurrency', '16', '--patience', '1'];

  it('finds nothing but what is allowed between a Patroni and its patroniglue, and says so', async () => {
    const patroni = await scripted(primary());
    const { port } = await patroniglue({ backend: { port: patroni.port } });
    const { code, stdout, stderr } = await runMain(...quick, ...urls(patroni.port, port));
    assert.deepEqual([code, stderr], [0, ''], stdout);
    assert.match(stdout, /^\/primary +all +200 +200 +=$/m);
    assert.match(stdout, /^\/replica\?lag=10MB +all +503 +503 +=$/m);
    assert.match(stdout, /^\/health\?tag_zone=a%20b +all +200 +200 +=$/m);
    assert.match(stdout, /^\/liveness +HEAD OPTIONS +503 +200 +allowed: /m);
    assert.match(stdout, /^\/sync\/ +all +503 +404 +allowed: /m);
    assert.match(stdout, /^\/my-primary +all +503 +404 +allowed: /m);
    assert.match(stdout, / requests in .* s: \d+ the same, \d+ allowed differences, 0 differences\n$/);
    const methods = new Set(patroni.requests.map((head) => head.split(' ')[0]));
    assert.deepEqual([...methods].sort(), ['GET', 'HEAD', 'OPTIONS'], 'nothing is asked that could change something');
  });

  it('counts each difference in status, content type and body', async () => {
    const asked = await scripted(primary());
    const polled = await scripted(
      primary((path, answer) => {
        if (path === '/leader') return { ...answer, status: 503 };
        if (path === '/history') return { ...answer, contentType: 'text/plain' };
        if (path === '/config') return { ...answer, body: `${answer.body ?? ''} ` };
        return answer;
      }),
    );
    const { port } = await patroniglue({ backend: { port: polled.port } });
    const { code, stdout } = await runMain(...quick, ...urls(asked.port, port));
    assert.equal(code, 1);
    assert.match(stdout, /^\/leader +all +200 +503 +DIFFERENT: status$/m);
    assert.match(stdout, /^\/history +GET +200 +200 +DIFFERENT: content type$/m);
    assert.match(stdout, /^\/config +GET +200 +200 +DIFFERENT: body from byte \d+ on: /m);
    // each with a slash and with a query besides, in two versions; `/leader` by three methods, and with two slashes
    assert.match(stdout, /, 36 differences\n$/);
  });

  it('takes what moves by itself for what it is', async () => {
    let location = 0;
    const patroni = await scripted(
      primary((path, answer) => ({
        ...answer,
        ...(path === '/leader' && { body: `{"xlog": {"location": ${(location += 1)}}, "patroni": {}}` }),
      })),
    );
    const { port } = await patroniglue({ backend: { port: patroni.port } });
    const patient = ['--concurrency', '16', '--patience', '10', '--json'];
    const { code, stdout } = await runMain(...patient, ...urls(patroni.port, port));
    assert.equal(code, 0, stdout);
    const report = JSON.parse(stdout) as { differences: number; rows: { target: string; verdict: object }[] };
    assert.equal(report.differences, 0);
    assert.deepEqual(report.rows.find(({ target }) => target === '/leader')?.verdict, { kind: 'moving' });
  });

  it('says that cache.learn is too small', async () => {
    const patroni = await scripted(primary());
    const { port } = await patroniglue({ backend: { port: patroni.port }, cache: { learn: 3 } });
    const { code, stdout } = await runMain(...quick, ...urls(patroni.port, port));
    assert.equal(code, 1);
    assert.match(stdout, /DIFFERENT: not-learned: /);
    assert.match(stdout, /cache\.learn is too small for this comparison: set it to 1000/);
  });

  it('watches the roles', async () => {
    const [steady, other] = await Promise.all([
      scripted(primary()),
      scripted(primary((path, answer) => (path === '/primary' ? { ...answer, status: 503 } : answer))),
    ]);
    const { port } = await patroniglue({ backend: { port: steady.port } });
    const short = ['--watch', '2', '--interval', '0.5'];
    const alike = await runMain('--watch', '2', ...urls(steady.port, port));
    assert.deepEqual([alike.code, alike.stdout.includes('\n0 routes on which')], [0, true], alike.stdout);
    const different = await runMain(...short, ...urls(other.port, port));
    assert.deepEqual([different.code, /\n1 routes? on which/.test(different.stdout)], [1, true], different.stdout);
  });

  it('explains itself, and what it cannot make sense of', async () => {
    const help = await runMain('--help');
    assert.deepEqual([help.code, help.stderr], [0, '']);
    assert.match(help.stdout, /^usage: .*<base URL of Patroni> <base URL of its patroniglue>\n/);

    const patroni = await scripted(primary());
    const base = urls(patroni.port)[0] ?? '';
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [[], /^two base URLs are needed, Patroni's and patroniglue's: got 0\n\nusage: /],
      [[base], /^two base URLs are needed, .*: got 1\n/],
      [[base, 'localhost:8009'], /^not a base URL: 'localhost:8009' \(such as http/],
      [[base, 'http://localhost:8009/primary'], /^a base URL has scheme, host and port only: /],
      [['--patience', 'long', base, base], /^--patience is a number of seconds from 0 to 86400: got 'long'\n/],
      [['--concurrency', '0', base, base], /^--concurrency is a whole number from 1 to 16: got '0'\n/],
      [['--frobnicate', base, base], /^Unknown option '--frobnicate'/],
      [['--cafile', '/nonexistent', base, base], /^--cafile: ENOENT/],
      [['http://127.0.0.1:1', base], /^no answer of Patroni to GET \/patroni: connect ECONNREFUSED/],
      [[base, base], /^this is not patroniglue, by what it says to GET \/-\/healthy \(\d+\)\n$/],
    ];
    for (const [args, message] of cases) {
      const { code, stdout, stderr } = await runMain(...args);
      assert.deepEqual([code, stdout], [2, ''], args.join(' '));
      assert.match(stderr, message);
    }
    const { port } = await patroniglue({ backend: { port: patroni.port } });
    const swapped = await runMain(...urls(port, patroni.port));
    assert.deepEqual([swapped.code, swapped.stdout], [2, '']);
    assert.equal(swapped.stderr, 'this is not Patroni, but a patroniglue: are the two URLs swapped?\n');
  });

  describe('over HTTPS', { skip: noOpenssl }, () => {
    let dir: string;
    let certificates: Certificates;
    before(async () => {
      dir = await mkdtemp(join(tmpdir(), 'pglue-conformance-'));
      certificates = await createCertificates(dir);
    });
    after(() => rm(dir, { recursive: true }));

    it('trusts by --cafile, shows a client certificate, or trusts anybody by --insecure', async () => {
      const { ca, server, client } = certificates;
      const [cert, key, trusted] = [server.cert, server.key, ca.cert].map((file) => readFileSync(file));
      const tls = { cert, key, ca: trusted, requestCert: true, rejectUnauthorized: true };
      const patroni = await scripted(primary(), { tls });
      const { port } = await patroniglue(
        {
          frontend: { certfile: server.cert, keyfile: server.key },
          backend: {
            port: patroni.port,
            scheme: 'https',
            cafile: ca.cert,
            certfile: client.cert,
            keyfile: client.key,
          },
        },
        { caFile: ca.cert },
      );
      const base = [patroni.port, port].map((at) => `https://127.0.0.1:${at}`);
      const ours = ['--certfile', client.cert, '--keyfile', client.key];
      for (const trust of [['--cafile', ca.cert], ['--insecure']]) {
        const { code, stdout, stderr } = await runMain('--watch', '1', ...trust, ...ours, ...base);
        assert.deepEqual([code, stderr], [0, ''], stdout);
        assert.match(stdout, /^\/primary .* 200$/m);
      }
      const distrustful = await runMain(...ours, ...base);
      assert.deepEqual([distrustful.code, distrustful.stdout], [2, '']);
      assert.match(distrustful.stderr, /^no answer of Patroni to GET \/patroni: .*certificate/);
    });
  });
});
