import { constants } from 'node:crypto';
import type { ServerOptions } from 'node:https';
import { DEFAULT_CIPHERS } from 'node:tls';

import { securityLevel } from '../config/tls-names.js';
import type { FrontendTls, TlsVersion } from '../config/types.js';

/** Node waits 120 s: longer than any health check, and a socket each for clients that say nothing. */
const handshakeTimeoutMs = 5_000;

/**
 * Options for `https.createServer` that serve what the configuration says:
 *
 * - TLS 1.0 and 1.1 get the security level that they need: see `securityLevel`.
 * - A list without TLS 1.3 suites leaves TLS 1.3 on, with OpenSSL's own suites, as in Go, where they cannot be chosen.
 *   (Node 20 to 24 touch those suites only where the list names some; a test holds them to it.)
 * - A list of TLS 1.3 suites alone serves TLS 1.3 alone, in Go as well as here.
 * - `DHE-` suites, which Go never had, get parameters; Node drops them from the list without.
 * - The order of the list is the server's preference. Go takes the server's order since 1.17, its own; we, the one written.
 */
export function tlsOptions(tls: Pick<FrontendTls, 'cert' | 'key' | 'minVersion' | 'ciphers'>): ServerOptions {
  const { cert, key, minVersion, ciphers = [] } = tls;
  return {
    cert,
    key,
    honorCipherOrder: true,
    handshakeTimeout: handshakeTimeoutMs,
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION, // before TLS 1.3 a client could have one handshake after another
    ...cipherOptions(minVersion, ciphers),
    ...(ciphers.some((cipher) => cipher.startsWith('DHE-')) && { dhparam: 'auto' }),
  };
}

function cipherOptions(
  minVersion: TlsVersion,
  ciphers: readonly string[],
): Pick<ServerOptions, 'minVersion' | 'ciphers'> {
  const names = ciphers.filter((cipher) => !cipher.startsWith('@'));
  const level = securityLevel(minVersion, ciphers);
  const levels = level === undefined ? [] : [level];
  if (names.length > 0 && names.every((name) => name.startsWith('TLS_'))) {
    // OpenSSL takes a level only beside ciphers for TLS 1.2; the minimum version keeps those out of use
    return { minVersion: 'TLSv1.3', ciphers: [...names, ...levels.flatMap((carried) => ['HIGH', carried])].join(':') };
  }
  return { minVersion, ciphers: [...(names.length > 0 ? names : [DEFAULT_CIPHERS]), ...levels].join(':') };
}
