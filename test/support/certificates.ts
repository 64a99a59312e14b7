import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Paths of a certificate and of its key, both PEM. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/** What `createCertificates` leaves in its folder. All but what `untrusted` is in the name of is issued by `ca`. */
export interface Certificates {
  readonly ca: CertificateFiles;
  /** A CA that nobody trusts, with the same name as `ca`. */
  readonly untrusted: CertificateFiles;
  /** P-256, for localhost, 127.0.0.1 and ::1. */
  readonly server: CertificateFiles;
  /** RSA 2048, for the same. */
  readonly serverRsa: CertificateFiles;
  /** The same as `server`, by `untrusted`. */
  readonly serverUntrusted: CertificateFiles;
  readonly client: CertificateFiles;
  /** For the same as `server`; its time ran out on 2020-02-01. */
  readonly expired: CertificateFiles;
  /** The key of `server`, encrypted (PKCS#8). */
  readonly encryptedKey: string;
  /** A key that belongs to none of the certificates. */
  readonly otherKey: string;
}

/** Own sections, so that nothing depends on the machine's openssl.cnf; `ca` because only it can date back (`-startdate`). */
const configuration = `
[req]
distinguished_name = name
prompt = no
[name]
CN = unused
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature, keyEncipherment
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1, IP:::1
[client]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
[ca]
default_ca = dated
[dated]
database = $ENV::CERTIFICATES/index.txt
new_certs_dir = $ENV::CERTIFICATES
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = server
[any]
commonName = supplied
`;

const p256 = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
const rsa = ['rsa:2048'];

/**
 * Makes, with the openssl command (3.0 or later), every certificate that the tests need, in an empty folder. They are
 * valid for two days.
 */
export async function createCertificates(dir: string): Promise<Certificates> {
  const file = (name: string): CertificateFiles => ({ cert: join(dir, `${name}.pem`), key: join(dir, `${name}.key`) });
  const config = join(dir, 'openssl.cnf');
  const openssl = async (...args: string[]): Promise<void> => {
    await run('openssl', args, { cwd: dir, env: { ...process.env, CERTIFICATES: dir, OPENSSL_CONF: config } });
  };
  const issue = async (
    to: CertificateFiles,
    name: string,
    section: string,
    newkey: string[],
    by?: CertificateFiles,
  ) => {
    const issuer = by === undefined ? [] : ['-CA', by.cert, '-CAkey', by.key];
    const made = ['-newkey', ...newkey, '-nodes', '-keyout', to.key, '-out', to.cert, '-days', '2'];
    await openssl('req', '-x509', '-subj', `/CN=${name}`, '-extensions', section, ...made, ...issuer);
    return to;
  };
  const expire = async (to: CertificateFiles, by: CertificateFiles) => {
    const request = join(dir, 'expired.csr');
    await openssl(
      'req',
      '-new',
      '-newkey',
      ...p256,
      '-nodes',
      '-keyout',
      to.key,
      '-out',
      request,
      '-subj',
      '/CN=expired',
    );
    const dates = ['-startdate', '20200101000000Z', '-enddate', '20200201000000Z'];
    const files = ['-cert', by.cert, '-keyfile', by.key, '-in', request, '-out', to.cert, '-notext'];
    await openssl('ca', '-batch', ...dates, ...files);
    return to;
  };

  const otherKey = join(dir, 'other.key');
  const encryptedKey = join(dir, 'encrypted.key');
  await Promise.all([writeFile(config, configuration), writeFile(join(dir, 'index.txt'), '')]);
  const [ca, untrusted] = await Promise.all([
    issue(file('ca'), 'Test CA', 'root', p256),
    issue(file('untrusted'), 'Test CA', 'root', p256),
    openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', otherKey),
  ]);
  const [server, serverRsa, serverUntrusted, client, expired] = await Promise.all([
    issue(file('server'), 'localhost', 'server', p256, ca),
    issue(file('server-rsa'), 'localhost', 'server', rsa, ca),
    issue(file('server-untrusted'), 'localhost', 'server', p256, untrusted),
    issue(file('client'), 'client', 'client', p256, ca),
    expire(file('expired'), ca),
  ]);
  await openssl('pkcs8', '-topk8', '-in', server.key, '-out', encryptedKey, '-passout', 'pass:secret');
  return { ca, untrusted, server, serverRsa, serverUntrusted, client, expired, encryptedKey, otherKey };
}

/** A certificate with something special about it. */
export interface SpecialCertificate {
  /** In OpenSSL's words (x509v3_config(5)): `subjectAltName=DNS:node1`. */
  readonly extensions: readonly string[];
  /** Who signs it; unless told, it signs itself. */
  readonly by?: CertificateFiles;
  /** Its common name; unless told, its file's. */
  readonly commonName?: string;
  /** From when to when it is valid; unless told, from an hour ago on for two days. */
  readonly from?: Date;
  readonly to?: Date;
}

/** Makes one more certificate in a folder of `createCertificates`: P-256, in files of that name. */
export async function issueCertificate(
  dir: string,
  name: string,
  special: SpecialCertificate,
): Promise<CertificateFiles> {
  const { extensions, by, commonName = name } = special;
  const nowMs = new Date().getTime();
  const { from = new Date(nowMs - 3_600_000), to = new Date(nowMs + 172_800_000) } = special;
  const folder = join(dir, `${name}.d`); // openssl ca writes down what it has issued: a folder each, as they run side by side
  await mkdir(folder);
  const files = { cert: join(dir, `${name}.pem`), key: join(dir, `${name}.key`) };
  const [request, extfile] = [join(folder, 'request.csr'), join(folder, 'extensions')];
  await Promise.all([writeFile(extfile, extensions.join('\n')), writeFile(join(folder, 'index.txt'), '')]);
  const env = { ...process.env, CERTIFICATES: folder, OPENSSL_CONF: join(dir, 'openssl.cnf') };
  const openssl = (...args: string[]): Promise<unknown> => run('openssl', args, { cwd: dir, env });
  const keyed = ['-newkey', ...p256, '-nodes', '-keyout', files.key];
  await openssl('req', '-new', '-subj', `/CN=${commonName}`, ...keyed, '-out', request);
  const signer = by === undefined ? ['-selfsign', '-keyfile', files.key] : ['-cert', by.cert, '-keyfile', by.key];
  const stamp = (date: Date): string => `${date.toISOString().slice(0, 19).replace(/[-T:]/g, '')}Z`;
  const dates = ['-startdate', stamp(from), '-enddate', stamp(to)];
  await openssl(
    'ca',
    '-batch',
    '-notext',
    ...dates,
    ...signer,
    '-extfile',
    extfile,
    '-in',
    request,
    '-out',
    files.cert,
  );
  return files;
}

/** Why tests with certificates cannot run here, or `false` where they can: for `skip`. */
export async function withoutOpenssl(): Promise<string | false> {
  try {
    await run('openssl', ['version']);
    return false;
  } catch {
    return 'the openssl command is missing: apt-get install openssl';
  }
}
