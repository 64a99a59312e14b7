import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { parse, stringify } from 'yaml';
import {
  type CertificateFiles,
  type Certificates,
  createCertificates,
  issueCertificate,
  withoutOpenssl,
} from '../support/certificates.js';
import { type AskOptions, type Reply, ask } from '../support/clients/http-get.js';
import { type ConfigObject, type Service, notify, reload, startService } from '../support/processes/service.js';
import { type Upstream, answering, startUpstream } from '../support/upstreams/upstream.js';
import { eventually, within } from '../support/time/wait.js';

const LOCALHOST = 'subjectAltName=DNS:localhost,IP:127.0.0.1';

describe('client certificates', { skip: await withoutOpenssl() }, () => {
  let dir: string;
  let files: Certificates;
  /** The front end's certificate, which may also be a client's, and certificates that cafile does not accept. */
  let both: CertificateFiles;
  let stranger: CertificateFiles;
  let late: CertificateFiles;
  let upstream: Upstream;
  let service: Service;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'patroniglue-clients-'));
    files = await createCertificates(dir);
    const { ca, untrusted } = files;
    const client = 'extendedKeyUsage=clientAuth';
    const past = { from: new Date('2020-01-01'), to: new Date('2020-02-01') };
    [both, stranger, late] = await Promise.all([
      issueCertificate(dir, 'both', { extensions: [LOCALHOST, 'extendedKeyUsage=serverAuth,clientAuth'], by: ca }),
      issueCertificate(dir, 'stranger', { extensions: [client], by: untrusted }),
      issueCertificate(dir, 'late', { extensions: [client], by: ca, ...past }),
    ]);
    upstream = await startUpstream();
    upstream.behave(answering(200));
  });
  after(async () => {
    await upstream.close();
    await rm(dir, { recursive: true, force: true });
  });
  afterEach(() => service.close());

  const tlsOf = (pair?: CertificateFiles): AskOptions['tls'] => ({
    caFile: files.ca.cert,
    certFile: pair?.cert,
    keyFile: pair?.key,
  });
  const askAs = (pair: CertificateFiles | undefined, path: string, method = 'GET'): Promise<Reply> =>
    ask(service.port, path, { tls: tlsOf(pair), method });
  const statusAs = async (pair: CertificateFiles | undefined, path: string, method?: string) =>
    (await askAs(pair, path, method)).status;

  async function start(verifyClient: string, more: ConfigObject = {}, prologue?: string): Promise<void> {
    const { ca } = files;
    const https = { certfile: both.cert, keyfile: both.key, cafile: ca.cert, 'verify-client': verifyClient };
    const backend = { host: '127.0.0.1', port: upstream.port, routes: ['/primary', '/config'] };
    service = await startService({
      config: { ...more, frontend: { ...https, ...more['frontend'] }, backend: { ...backend, ...more['backend'] } },
      tls: tlsOf(files.client),
      ...(prologue !== undefined && { prologue }),
    });
    await eventually('ready', 10_000, async () => (await service.get('/-/ready')).status === 200);
  }
  const brokenBy = async (reason: string): Promise<number> => {
    const page = await askAs(files.client, '/-/metrics');
    const counts = page.kind === 'reply' ? page.body : '';
    return Number(new RegExp(`broken_connections_total\\{reason="${reason}"\\} (\\d+)`).exec(counts)?.[1]);
  };

  it('required: the handshake fails without a valid one, whatever the request is', async () => {
    await start('required');
    assert.equal(await statusAs(files.client, '/primary'), 200);
    assert.equal(await statusAs(files.client, '/config'), 200);
    const refused = [undefined, stranger, late, files.serverRsa];
    for (const pair of refused) assert.equal((await askAs(pair, '/primary')).kind, 'failure', pair?.cert);
    assert.equal(await brokenBy('tls-client-certificate'), refused.length);
    assert.match(
      service.output(),
      /127\.0\.0\.1 showed no certificate that frontend\.cafile has signed \(.*frontend\.verify-client/,
    );
  });

  it('optional: health checks need none; pages and POST /-/refresh do', async () => {
    await start('optional');
    const pages = ['/config', '/cluster', '/-/metrics', '/-/status', '/-/status.json', '/-/status/events?x=1'];
    for (const pair of [undefined, stranger, late]) {
      for (const path of ['/primary', '/-/healthy', '/-/ready']) assert.equal(await statusAs(pair, path), 200, path);
      for (const path of pages) {
        const reply = await askAs(pair, path);
        assert.ok(reply.kind === 'reply', path);
        assert.deepEqual([reply.status, reply.headers['content-type']], [403, 'application/problem+json'], path);
        assert.match(reply.body, /client certificate .*frontend\.cafile.*verify-client/);
        assert.equal(await statusAs(pair, path, 'HEAD'), 403, path);
      }
      assert.equal(await statusAs(pair, '/-/refresh', 'POST'), 403);
    }
    assert.ok(!upstream.requests.some((head) => head.includes('/cluster')), 'no route is learned from them');
    for (const path of ['/config', '/-/metrics', '/-/status']) assert.equal(await statusAs(files.client, path), 200);
    assert.equal(await statusAs(files.client, '/-/refresh', 'POST'), 202);
    assert.equal(await statusAs(undefined, '/-/nowhere'), 404, 'and what is no page is none');
  });

  it('changes with a reload, without a restart', async () => {
    await start('none');
    assert.equal(await statusAs(undefined, '/config'), 200);
    await reload(service, { 'verify-client': 'required' });
    assert.equal((await askAs(undefined, '/primary')).kind, 'failure');
    assert.equal(await statusAs(files.client, '/primary'), 200);
    await reload(service, { cafile: files.untrusted.cert });
    assert.equal((await askAs(files.client, '/primary')).kind, 'failure', 'another CA');
    assert.equal(await statusAs(stranger, '/primary'), 200);
    await reload(service, { 'verify-client': 'optional' });
    assert.deepEqual([await statusAs(undefined, '/primary'), await statusAs(undefined, '/config')], [200, 403]);
  });

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    it(`is checked at each connection, also if the client would resume its session: ${version}`, async () => {
      await start('required');
      const { ca, client } = files;
      const [caText, cert, key] = await Promise.all([ca.cert, client.cert, client.key].map((file) => readFile(file)));
      const connect = async (session?: Buffer) => {
        const socket = connectTls({
          ...{ port: service.port, host: '127.0.0.1', ca: caText, cert, key, maxVersion: version },
          ...(session && { session }),
        });
        let [text, isReused, made] = ['', false, Buffer.alloc(0)];
        socket.on('error', () => undefined).on('session', (ticket) => (made = ticket));
        socket.once('secureConnect', () => (isReused = socket.isSessionReused()));
        socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        socket.write('GET /primary HTTP/1.0\r\n\r\n');
        await within('the end', 5000, new Promise((resolve) => socket.once('close', resolve)));
        return { session: made, text, isReused };
      };
      const first = await connect();
      const again = await connect(first.session);
      assert.match(again.text, /200 OK/);
      assert.ok(!again.isReused, 'OpenSSL would not look at the dates of the certificate again');
      await reload(service, { cafile: files.untrusted.cert });
      assert.doesNotMatch((await connect(first.session)).text, /200 OK/);
    });
  }

  it("is the front end's own for --notify", async () => {
    for (const verify of ['optional', 'required']) {
      await start(verify);
      assert.equal(await notify(service), '');
      await service.close();
    }
    await start('required', { frontend: { 'proxy-protocol': true } }, 'PROXY UNKNOWN\r\n');
    assert.equal(await notify(service), '');
  });

  it('are asked for by a front end whose key has a passphrase, too', async () => {
    const password = join(dir, 'passphrase');
    await writeFile(password, 'secret\n');
    const frontend = { certfile: files.server.cert, keyfile: files.encryptedKey, 'keyfile-password-file': password };
    await start('required', { frontend });
    assert.equal(await statusAs(files.client, '/primary'), 200);
    assert.equal((await askAs(undefined, '/primary')).kind, 'failure');
  });

  it('is that for Patroni for --notify, if there is one; a line says what is wrong if neither will do', async () => {
    await start('required', { frontend: { certfile: files.server.cert, keyfile: files.server.key } });
    await assert.rejects(
      notify(service),
      /ended with 1.*cannot notify .*frontend\.cafile must have signed it, for clients/s,
    );
    const config = parse(await readFile(service.configFile, 'utf8')) as ConfigObject;
    const { cert: certfile, key: keyfile } = files.client;
    const backend = { ...config['backend'], scheme: 'https', certfile, keyfile };
    await writeFile(service.configFile, stringify({ ...config, backend })); // the service itself does not read it
    assert.equal(await notify(service), '');
  });
});
