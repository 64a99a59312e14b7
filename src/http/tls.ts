import type { ServerOptions } from 'node:https';
import { DEFAULT_CIPHERS } from 'node:tls';

import type { FrontendTls } from '../config.js';
import { securityLevel, type TlsVersion } from '../tls-names.js';

/** Node waits 120 s: longer than any health check, and a socket each for clients that say nothing. */
const handshakeTimeoutMs = 5_000;

/**
 * Options for `https.createServer` that serve what the configuration says, which Node's by themselves do not:
 *
 * - TLS 1.0 and 1.1 get the security level that they need: see `securityLevel`.
 * - A list without TLS 1.3 suites leaves TLS 1.3 on, as in Go, where they cannot be chosen; Node would turn it off.
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
    ...cipherOptions(minVersion, ciphers),
    ...(ciphers.some((cipher) => cipher.startsWith('DHE-')) && { dhparam: 'auto' }),
  };
}

function cipherOptions(
  minVersion: TlsVersion,
  ciphers: readonly string[],
): Pick<ServerOptions, 'minVersion' | 'ciphers'> {
  const chosen = ciphers.filter((cipher) => !cipher.startsWith('@'));
  const names = chosen.length > 0 ? chosen : DEFAULT_CIPHERS.split(':');
  const tls13 = names.filter(isTls13);
  const older = names.filter((name) => !isTls13(name));
  const needed = securityLevel(minVersion, ciphers);
  const level = needed === undefined ? [] : [needed];
  if (older.length === 0) {
    // OpenSSL takes a level only beside a cipher for TLS 1.2; the minimum version keeps that cipher out of use
    const carrier = level.length > 0 ? [...defaultsBeforeTls13(), ...level] : [];
    return { minVersion: 'TLSv1.3', ciphers: [...tls13, ...carrier].join(':') };
  }
  return { minVersion, ciphers: [...(tls13.length > 0 ? tls13 : tls13Suites), ...older, ...level].join(':') };
}

/** Those that OpenSSL serves by default, and all that Go has (RFC 8446, appendix B.4), strongest first. */
const tls13Suites: readonly string[] = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_GCM_SHA256',
];

function defaultsBeforeTls13(): readonly string[] {
  return DEFAULT_CIPHERS.split(':').filter((name) => !isTls13(name));
}

function isTls13(name: string): boolean {
  return name.startsWith('TLS_');
}
