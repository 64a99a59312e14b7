import { X509Certificate } from 'node:crypto';
import { createSecureContext, getCiphers } from 'node:tls';
import { editDistance } from './nearest-word.js';
import type { TlsVersion } from './keys.js';

/** The values of `frontend.tls-min-version`: the names of the Go program. */
export const minVersions: readonly string[] = ['SSLv3.0', 'TLSv1.0', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'];

/** A minimum version that OpenSSL can serve. `warning` is present if it is not the requested version. */
export interface MinVersion {
  readonly minVersion: TlsVersion;
  readonly warning?: string;
}

/** The version behind a name of `minVersions`, or `undefined` for any other name (case counts, as it did in Go). */
export function parseMinVersion(name: string): MinVersion | undefined {
  switch (name) {
    case 'SSLv3.0': // OpenSSL builds have not had it for years, and RFC 7568 forbids it
      return { minVersion: 'TLSv1', warning: 'OpenSSL 3 has no SSLv3: patroniglue serves TLSv1.0 and later' };
    case 'TLSv1.0':
      return { minVersion: 'TLSv1' };
    case 'TLSv1.1':
    case 'TLSv1.2':
    case 'TLSv1.3':
      return { minVersion: name };
    default:
      return undefined;
  }
}

/**
 * IANA names as Go's crypto/tls spells them, with OpenSSL's names of the same ciphers (openssl-ciphers(1), "CIPHER SUITE
 * NAMES"). TLS 1.3 ciphers have the same name in both. `..._CHACHA20_POLY1305` is Go's spelling before 1.14, and Go still
 * has it.
 */
export const ianaCiphers: ReadonlyMap<string, string> = new Map([
  ['TLS_AES_128_GCM_SHA256', 'TLS_AES_128_GCM_SHA256'],
  ['TLS_AES_256_GCM_SHA384', 'TLS_AES_256_GCM_SHA384'],
  ['TLS_CHACHA20_POLY1305_SHA256', 'TLS_CHACHA20_POLY1305_SHA256'],
  ['TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256', 'ECDHE-ECDSA-AES128-GCM-SHA256'],
  ['TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384', 'ECDHE-ECDSA-AES256-GCM-SHA384'],
  ['TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305', 'ECDHE-ECDSA-CHACHA20-POLY1305'],
  ['TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256', 'ECDHE-ECDSA-CHACHA20-POLY1305'],
  ['TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256', 'ECDHE-ECDSA-AES128-SHA256'],
  ['TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA', 'ECDHE-ECDSA-AES128-SHA'],
  ['TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA', 'ECDHE-ECDSA-AES256-SHA'],
  ['TLS_ECDHE_ECDSA_WITH_RC4_128_SHA', 'ECDHE-ECDSA-RC4-SHA'],
  ['TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', 'ECDHE-RSA-AES128-GCM-SHA256'],
  ['TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384', 'ECDHE-RSA-AES256-GCM-SHA384'],
  ['TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305', 'ECDHE-RSA-CHACHA20-POLY1305'],
  ['TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256', 'ECDHE-RSA-CHACHA20-POLY1305'],
  ['TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256', 'ECDHE-RSA-AES128-SHA256'],
  ['TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA', 'ECDHE-RSA-AES128-SHA'],
  ['TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA', 'ECDHE-RSA-AES256-SHA'],
  ['TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA', 'ECDHE-RSA-DES-CBC3-SHA'],
  ['TLS_ECDHE_RSA_WITH_RC4_128_SHA', 'ECDHE-RSA-RC4-SHA'],
  ['TLS_RSA_WITH_AES_128_GCM_SHA256', 'AES128-GCM-SHA256'],
  ['TLS_RSA_WITH_AES_256_GCM_SHA384', 'AES256-GCM-SHA384'],
  ['TLS_RSA_WITH_AES_128_CBC_SHA256', 'AES128-SHA256'],
  ['TLS_RSA_WITH_AES_128_CBC_SHA', 'AES128-SHA'],
  ['TLS_RSA_WITH_AES_256_CBC_SHA', 'AES256-SHA'],
  ['TLS_RSA_WITH_3DES_EDE_CBC_SHA', 'DES-CBC3-SHA'],
  ['TLS_RSA_WITH_RC4_128_SHA', 'RC4-SHA'],
]);

/** The result of reading a name in `frontend.tls-ciphers`. */
export type ParsedCipher =
  | { readonly kind: 'served'; readonly openssl: string }
  | { readonly kind: 'ignored'; readonly warning: string }
  | { readonly kind: 'refused'; readonly problem: string };

/**
 * Reads one entry of `frontend.tls-ciphers`: an IANA name, an OpenSSL name, or `@SECLEVEL=n`. Case counts.
 *
 * This refuses every name that OpenSSL cannot serve, because Node does not: `tls.createSecureContext` takes
 * `TLS_RSA_WITH_AES_128_CBC_SHA` for a TLS 1.3 cipher because of its prefix, reports nothing, and then no handshake
 * succeeds. The running OpenSSL decides what it can serve, so a build that still has 3DES serves 3DES.
 */
export function parseCipher(name: string): ParsedCipher {
  if (name === 'TLS_FALLBACK_SCSV') {
    const warning =
      'TLS_FALLBACK_SCSV is a signal that clients send (RFC 7507), not a cipher. ' +
      'OpenSSL handles it without this entry: remove it';
    return { kind: 'ignored', warning };
  }
  if (name.startsWith('@SECLEVEL=')) {
    if (/^@SECLEVEL=[0-5]$/.test(name)) return { kind: 'served', openssl: name };
    return { kind: 'refused', problem: `${quote(name)}: the security level must be @SECLEVEL=0 to @SECLEVEL=5` };
  }
  const openssl = ianaCiphers.get(name) ?? name;
  if (withoutCertificate.test(openssl)) {
    return {
      kind: 'refused',
      problem: `${quote(name)} needs a shared secret or password; patroniglue has only a certificate`,
    };
  }
  if (isKnownToOpenssl(openssl)) return { kind: 'served', openssl };
  if (ianaCiphers.has(name) || [...ianaCiphers.values()].includes(name)) {
    return { kind: 'refused', problem: `OpenSSL ${process.versions.openssl} has no cipher ${name}: remove it` };
  }
  const nearest = nearestName(name);
  const hint =
    nearest === undefined ? 'use the names of IANA or OpenSSL, one name per entry' : `did you mean ${nearest}?`;
  return { kind: 'refused', problem: `${quote(name)} is not a cipher that can be served; ${hint}` };
}

/** The result of reading a cipher string: the ciphers, if there is no problem. */
export interface ParsedCipherString {
  readonly chosen: readonly string[] | string;
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/** What a certificate cannot serve. OpenSSL takes a string that chooses only such ciphers, and then no handshake succeeds. */
const NOT_WITH_CERTIFICATE = '!PSK:!SRP:!aNULL';

/**
 * Reads a cipher string (openssl-ciphers(1), "CIPHER LIST FORMAT"), such as `ECDHE+AESGCM:!aNULL`. A string of nothing but
 * names is the same as a list of these names. OpenSSL ignores words that it does not know, as long as some cipher is left:
 * for these there is a warning.
 */
export function parseCipherString(text: string): ParsedCipherString {
  const words = text.split(/[:;, ]+|(?<!^)(?=@SECLEVEL=)/).filter((word) => word !== ''); // DEFAULT@SECLEVEL=1: two words
  const names = words.filter(
    (word) => /^(?:TLS_|@SECLEVEL=)/.test(word) || ianaCiphers.has(word) || isKnownToOpenssl(word),
  );
  const parsed = names.map((word) => [word, parseCipher(word)] as const);
  const problems = parsed.flatMap(([, cipher]) => (cipher.kind === 'refused' ? [cipher.problem] : []));
  const ignored = parsed.flatMap(([, cipher]) => (cipher.kind === 'ignored' ? [cipher.warning] : []));
  const served = new Map(
    parsed.flatMap(([word, cipher]) => (cipher.kind === 'served' ? [[word, cipher.openssl]] : [])),
  );
  if (problems.length > 0) return { chosen: [], problems, warnings: ignored };
  if (names.length === words.length) return { chosen: [...new Set(served.values())], problems, warnings: ignored };
  const kept = words.filter((word) => !names.includes(word) || served.has(word));
  const chosen = kept.map((word) => served.get(word) ?? word).join(':');
  if (!choosesCiphers(`${chosen}:${NOT_WITH_CERTIFICATE}`)) {
    const problem = `${quote(text)} chooses no cipher that OpenSSL ${process.versions.openssl} can serve with a certificate`;
    return { chosen, problems: [problem], warnings: ignored };
  }
  const unknown = words.filter((word) => /^\w/.test(word) && !names.includes(word) && !choosesCiphers(word));
  return {
    chosen,
    problems,
    warnings: [...ignored, ...unknown.map((word) => `${quote(word)} chooses no cipher of OpenSSL: is it misspelt?`)],
  };
}

/** Whether OpenSSL finds a cipher for this string. */
function choosesCiphers(ciphers: string): boolean {
  try {
    createSecureContext({ ciphers });
    return true;
  } catch {
    return false;
  }
}

/**
 * True if TLS 1.0 and 1.1 have this cipher (by its OpenSSL name). Ciphers that end in SHA256, SHA384 or POLY1305 came with
 * TLS 1.2: RFC 5246 section 1.2, RFC 5289, RFC 7905.
 */
function isBeforeTls12(openssl: string): boolean {
  return openssl.endsWith('-SHA');
}

/**
 * The `@SECLEVEL=n` for the server: the last one in the list. If the list has none: 0 if the minimum version needs it,
 * otherwise `undefined` for OpenSSL's default.
 *
 * TLS 1.0 and 1.1 sign with MD5 and SHA-1, which OpenSSL 3 allows only at level 0 (SSL_CTX_set_security_level(3)). If the
 * list has no cipher for versions before TLS 1.2, the level stays: 0 would only weaken the newer versions.
 *
 * @param ciphers a list, or a cipher string
 */
export function securityLevel(minVersion: TlsVersion, ciphers: readonly string[] | string): string | undefined {
  const words = typeof ciphers === 'string' ? ciphers.split(':') : ciphers;
  const written = words.findLast((cipher) => cipher.startsWith('@SECLEVEL='));
  if (written !== undefined) return written;
  const old = minVersion === 'TLSv1' || minVersion === 'TLSv1.1';
  if (typeof ciphers === 'string') return old ? '@SECLEVEL=0' : undefined; // which ciphers it chooses, only OpenSSL knows
  return old && (ciphers.length === 0 || ciphers.some(isBeforeTls12)) ? '@SECLEVEL=0' : undefined;
}

/**
 * Warnings about a minimum version and a list of ciphers (OpenSSL names) that are both valid, but do not fit together. They
 * do not stop the start: Go's crypto/tls starts as well, without a message.
 */
export function cipherWarnings(minVersion: TlsVersion, ciphers: readonly string[] | string): readonly string[] {
  if (typeof ciphers === 'string') return levelWarnings(minVersion, ciphers);
  const names = ciphers.filter((cipher) => !cipher.startsWith('@'));
  if (names.length > 0 && minVersion !== 'TLSv1.3' && names.every((name) => name.startsWith('TLS_'))) {
    return ['the list has only TLSv1.3 ciphers, so patroniglue serves only TLSv1.3'];
  }
  if (minVersion === 'TLSv1.3' && names.length > 0 && !names.some((name) => name.startsWith('TLS_'))) {
    return ['the minimum version is TLSv1.3, and the list has no TLSv1.3 cipher: the list has no effect'];
  }
  if (minVersion !== 'TLSv1' && minVersion !== 'TLSv1.1') return [];
  if (names.length > 0 && !names.some(isBeforeTls12)) {
    return [
      'the list has no cipher for TLSv1.0 or TLSv1.1 (their names end in _SHA), so patroniglue serves only TLSv1.2 and later',
    ];
  }
  return levelWarnings(minVersion, ciphers);
}

function levelWarnings(minVersion: TlsVersion, ciphers: readonly string[] | string): readonly string[] {
  if (minVersion !== 'TLSv1' && minVersion !== 'TLSv1.1') return [];
  const level = securityLevel(minVersion, ciphers);
  if (level === undefined || level === '@SECLEVEL=0') return [];
  return [
    `OpenSSL 3 serves TLSv1.0 and TLSv1.1 only at @SECLEVEL=0: with ${level}, patroniglue serves only TLSv1.2 and later`,
  ];
}

/**
 * Ciphers with pre-shared keys (RFC 4279) or passwords (RFC 5054). Node lists them, but a server with only a certificate
 * never negotiates them.
 */
const withoutCertificate = /(?:^|-)(?:PSK|SRP)-/;

/**
 * A warning if no cipher before TLS 1.3 works with this certificate: the list has only ECDSA ciphers and the key is RSA, or
 * the other way round. `undefined` if some cipher works, and for a cipher string.
 */
export function keyTypeWarning(ciphers: readonly string[] | string, cert: string): string | undefined {
  if (typeof ciphers === 'string') return undefined;
  const keyType = keyTypeOf(cert);
  const older = ciphers.filter((name) => !name.startsWith('TLS_') && !name.startsWith('@'));
  const fits = (name: string): boolean => name.includes('ECDSA') === (keyType !== 'rsa');
  if (keyType === undefined || older.length === 0 || older.some(fits)) return undefined;
  return `none of these ciphers works with the certificate's ${keyType.toUpperCase()} key: patroniglue can serve only TLSv1.3`;
}

/** `rsa`, `ec`, …; `undefined` if the text is not a certificate, which certificates/pem.ts reports. */
function keyTypeOf(cert: string): string | undefined {
  try {
    return new X509Certificate(cert).publicKey.asymmetricKeyType;
  } catch {
    return undefined;
  }
}

function isKnownToOpenssl(openssl: string): boolean {
  // getCiphers() lowers the case of names that OpenSSL has in upper case, and matches with case
  return openssl === openssl.toUpperCase() && getCiphers().includes(openssl.toLowerCase());
}

/** Most edits between a name and its suggestion. `ECDHE-RSA-WITH-AES-128-...` must still get its suggestion. */
const MAX_EDITS = 5;

function nearestName(name: string): string | undefined {
  if (name.length > 60) return undefined;
  const known = [...ianaCiphers.keys(), ...getCiphers().map((cipher) => cipher.toUpperCase())];
  const spelling = (text: string): string => text.toLowerCase().replaceAll('_', '-');
  let nearest: string | undefined;
  let least = MAX_EDITS + 1;
  for (const candidate of known) {
    const openssl = ianaCiphers.get(candidate) ?? candidate;
    if (withoutCertificate.test(openssl) || !isKnownToOpenssl(openssl)) continue;
    const edits = editDistance(spelling(name), spelling(candidate));
    if (edits < least) [nearest, least] = [candidate, edits];
  }
  return nearest;
}

/** The name as written if it looks like a name. Otherwise with escapes, so that it cannot disturb a terminal or a log. */
function quote(name: string): string {
  return /^[\w@=.:!+-]+$/.test(name) ? name : JSON.stringify(name);
}
