import { constants } from 'node:crypto';
import type { ServerOptions } from 'node:https';
import { DEFAULT_CIPHERS } from 'node:tls';

import { securityLevel } from '../config/tls-names.js';
import type { FrontendTls, TlsVersion } from '../config/types.js';

/** Node's default is 120 s. A health check takes less, and a silent client holds a socket for so long. */
const handshakeTimeoutMs = 5_000;

/**
 * Options for `https.createServer`, as the configuration says:
 *
 * - TLS 1.0 and 1.1 get the security level that they need: see `securityLevel`.
 * - A list without TLS 1.3 suites leaves TLS 1.3 on, with OpenSSL's own suites. Go does the same: its users cannot choose
 *   them. (Node 20 to 24 change these suites only if the list names some; a test checks this.)
 * - A list of nothing but TLS 1.3 suites serves only TLS 1.3, in Go as well as here.
 * - `DHE-` suites, which Go never had, get parameters. Without parameters, Node drops these suites from the list.
 * - A client that shows a certificate is checked with `ca`. With `optional`, the requests are checked one by one: see
 *   `access.ts`. No session is resumed then: OpenSSL does not check the certificate of a resumed session again, also not
 *   after its end.
 * - The server prefers the ciphers in the order of the list. (Go, since 1.17, prefers its own order.)
 */
export function tlsOptions(
  tls: Pick<FrontendTls, 'cert' | 'key' | 'ca' | 'minVersion' | 'ciphers'> & Partial<Pick<FrontendTls, 'verifyClient'>>,
): ServerOptions {
  const { cert, key, ca, verifyClient = 'none', minVersion, ciphers = [] } = tls;
  return {
    cert,
    key,
    // Without a `ca`, Node would trust the CAs that it ships with
    ...(verifyClient !== 'none' && {
      ca: ca ?? [],
      requestCert: true,
      rejectUnauthorized: verifyClient === 'required',
    }),
    honorCipherOrder: true,
    handshakeTimeout: handshakeTimeoutMs,
    secureOptions:
      constants.SSL_OP_NO_RENEGOTIATION | // before TLS 1.3 a client could ask for one handshake after another
      (verifyClient === 'none' ? 0 : constants.SSL_OP_NO_TICKET),
    ...cipherOptions(minVersion, ciphers),
    ...(mayHaveDhe(ciphers) && { dhparam: 'auto' }),
  };
}

function mayHaveDhe(ciphers: readonly string[] | string): boolean {
  return typeof ciphers === 'string' || ciphers.some((cipher) => cipher.startsWith('DHE-'));
}

function cipherOptions(
  minVersion: TlsVersion,
  ciphers: readonly string[] | string,
): Pick<ServerOptions, 'minVersion' | 'ciphers'> {
  if (typeof ciphers === 'string') {
    return { minVersion, ciphers: [ciphers, securityLevel(minVersion, ciphers)].filter((word) => word).join(':') };
  }
  const names = ciphers.filter((cipher) => !cipher.startsWith('@'));
  const level = securityLevel(minVersion, ciphers);
  const levels = level === undefined ? [] : [level];
  if (names.length > 0 && names.every((name) => name.startsWith('TLS_'))) {
    // OpenSSL accepts a level only together with ciphers for TLS 1.2. The minimum version keeps these ciphers out of use.
    return { minVersion: 'TLSv1.3', ciphers: [...names, ...levels.flatMap((carried) => ['HIGH', carried])].join(':') };
  }
  return { minVersion, ciphers: [...(names.length > 0 ? names : [DEFAULT_CIPHERS]), ...levels].join(':') };
}
