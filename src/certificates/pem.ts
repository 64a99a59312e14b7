import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { createSecureContext, DEFAULT_CIPHERS } from 'node:tls';

import { describeEnd, formatDate, type Validity, validityOf } from './validity.js';

/**
 * What is wrong with a PEM file. Each text follows the file's name: `is empty`, `holds a private key where ...`. With a
 * problem, patroniglue does not start; with a warning, it does. No text quotes the file's contents.
 */
export interface PemCheck {
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Checks a certificate, or a chain that begins with the certificate itself. Every certificate of the file is parsed, because
 * OpenSSL finds a broken intermediate only when it loads the chain, and does not say which certificate is broken.
 *
 * @param nowMs the wall clock, for the dates
 * @param ciphers the cipher string of the server: its `@SECLEVEL` decides which certificates are too weak
 */
export function checkCertificate(pem: string, nowMs: number, ciphers: string = DEFAULT_CIPHERS): PemCheck {
  const { certificates, problems } = parseCertificates(pem);
  if (problems.length > 0) return { problems, warnings: [] };
  const weakness = refusal({ cert: pem, ciphers });
  return {
    problems: weakness === undefined ? [] : [weakness],
    warnings: [...dateWarnings(certificates, nowMs), ...orderWarnings(certificates)],
  };
}

/**
 * Checks a private key, and that it is the key of the (first) certificate. The texts follow the name of the key's file.
 * `checkCertificate` reports the problems of the certificate itself.
 *
 * @param passphrase of the key. No text shows it
 */
export function checkKeyPair(cert: string, key: string, passphrase?: string): PemCheck {
  const parsed = parseKey(key, passphrase);
  if (typeof parsed === 'string') return failed(parsed);
  const { certificates, problems } = parseCertificates(cert);
  if (problems.length > 0) return passed;
  const at = certificates.findIndex((certificate) => certificate.checkPrivateKey(parsed));
  if (at === -1) return failed('is not the key of the certificate');
  if (at > 0) {
    const which = positionInChain(at, certificates.length);
    return failed(`is the key of ${which} in the certificate file, but the certificate itself must come first`);
  }
  // checkCertificate checks the strength
  const other = refusal({ cert, key: textOf(parsed), ciphers: `${DEFAULT_CIPHERS}:@SECLEVEL=0` });
  return other === undefined ? passed : failed(other);
}

/** True if a PEM text has a private key with a passphrase. */
export function isEncryptedKey(pem: string): boolean {
  const blocks = parseBlocks(pem);
  const key = typeof blocks === 'string' ? undefined : keyIn(blocks);
  return key !== undefined && isEncrypted(key);
}

/** The private key of a PEM text without its passphrase, as PEM; `undefined` if it cannot be read. */
export function decryptedKey(pem: string, passphrase: string): string | undefined {
  const key = parseKey(pem, passphrase);
  return typeof key === 'string' ? undefined : textOf(key);
}

function textOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/**
 * Checks a bundle of certificates to trust. A distribution's bundle holds roots that have expired or are too weak, and the
 * operator cannot fix them. So there is a warning only if no good root is left. Node accepts any text as `ca`, even an empty
 * text or a key, and then trusts no certificate.
 */
export function checkCa(pem: string, nowMs: number): PemCheck {
  const { certificates, problems } = parseCertificates(pem);
  if (problems.length > 0) return { problems, warnings: [] };
  // OpenSSL checks the strength of a trusted certificate in each handshake. Loading it as our own certificate checks it now.
  const weaknessOf = (certificate: X509Certificate) => refusal({ cert: certificate.toString() });
  // `every` stops at the first strong certificate: each one costs a millisecond, and Debian's bundle has 140.
  if (certificates.every((certificate) => weaknessOf(certificate) !== undefined)) {
    const weaknesses = certificates.map(
      (certificate, index) => `${positionInChain(index, certificates.length)} ${weaknessOf(certificate)}`,
    );
    return { problems: weaknesses, warnings: [] };
  }
  const warnings = caDateWarnings(certificates, nowMs);
  if (!certificates.some((certificate) => certificate.checkIssued(certificate))) {
    warnings.push('holds no self-signed certificate: OpenSSL accepts a chain only if the file holds its root');
  }
  return { problems: [], warnings };
}

/** The dates of a certificate, and its position in its file: `certificate 2 of 3`. */
export interface PositionedValidity extends Validity {
  readonly position: string;
}

/** The dates of each certificate of a PEM text; none if the text cannot be parsed. */
export function readValidities(pem: string): readonly PositionedValidity[] {
  return positionedValidities(parseCertificates(pem).certificates);
}

/** The dates of the certificate to trust that lasts longest. After its end, OpenSSL trusts no certificate. */
export function readCaValidity(pem: string): PositionedValidity | undefined {
  const { certificates } = parseCertificates(pem);
  const [last] = [...positionedValidities(certificates)].sort((a, b) => b.toMs - a.toMs);
  return last && { ...last, position: lastOf(certificates.length) };
}

const passed: PemCheck = { problems: [], warnings: [] };

function failed(problem: string): PemCheck {
  return { problems: [problem], warnings: [] };
}

interface Block {
  /** The text after `BEGIN`: `CERTIFICATE`, `PRIVATE KEY`. */
  readonly label: string;
  readonly text: string;
}

/**
 * The PEM blocks of a file, or what is wrong with the file. RFC 7468 allows any text as a label (`X9.42 DH PARAMETERS`). Text
 * between the blocks is allowed, and common.
 */
function parseBlocks(pem: string): readonly Block[] | string {
  if (pem.trim() === '') return 'is empty';
  const blocks = [...pem.matchAll(/-----BEGIN ([^\r\n]*?)-----[^]*?-----END \1-----/g)];
  const begun = pem.match(/-----BEGIN /g)?.length ?? 0;
  if (begun === 0) return 'is not PEM: no line begins with -----BEGIN (a DER or PKCS#12 file must be converted)';
  if (blocks.length !== begun) return 'is cut off: a -----BEGIN line has no -----END line';
  return blocks.map(([text, label = '']) => ({ label, text }));
}

/** Labels that OpenSSL reads as a certificate (PEM_read_bio_X509(3)). */
const certificateLabels: readonly string[] = ['CERTIFICATE', 'X509 CERTIFICATE', 'TRUSTED CERTIFICATE'];

interface Certificates {
  readonly certificates: readonly X509Certificate[];
  readonly problems: readonly string[];
}

function parseCertificates(pem: string): Certificates {
  const blocks = parseBlocks(pem);
  if (typeof blocks === 'string') return { certificates: [], problems: [blocks] };
  const texts = blocks.filter(({ label }) => certificateLabels.includes(label)).map(({ text }) => text);
  if (texts.length === 0) {
    return { certificates: [], problems: [`holds ${contents(blocks)} where a certificate is expected`] };
  }
  const certificates: X509Certificate[] = [];
  const problems: string[] = [];
  for (const [index, text] of texts.entries()) {
    try {
      certificates.push(new X509Certificate(text));
    } catch (error) {
      problems.push(`${positionInChain(index, texts.length)} cannot be read: ${reasonOf(error)}`);
    }
  }
  return { certificates, problems };
}

/** OpenSSL takes the first key, too. */
function keyIn(blocks: readonly Block[]): Block | undefined {
  return blocks.find(({ label }) => label.endsWith('PRIVATE KEY'));
}

function isEncrypted({ label, text }: Block): boolean {
  return label === 'ENCRYPTED PRIVATE KEY' || /^Proc-Type: *4,ENCRYPTED/m.test(text);
}

function parseKey(pem: string, passphrase?: string): KeyObject | string {
  const blocks = parseBlocks(pem);
  if (typeof blocks === 'string') return blocks;
  const key = keyIn(blocks);
  if (key === undefined) return `holds ${contents(blocks)} where a private key is expected`;
  if (isEncrypted(key) && passphrase === undefined) {
    return 'is encrypted: write the name of the file with its passphrase in keyfile-password-file';
  }
  if (key.label === 'OPENSSH PRIVATE KEY')
    return "holds an OpenSSH key: OpenSSL doesn't read them, convert it to PKCS#8";
  try {
    return createPrivateKey({ key: key.text, ...(passphrase !== undefined && { passphrase }) });
  } catch (error) {
    if (isEncrypted(key))
      return `cannot be decrypted: is its passphrase in keyfile-password-file? (${reasonOf(error)})`;
    return `cannot be read as a private key: ${reasonOf(error)}`;
  }
}

function contents(blocks: readonly Block[]): string {
  const labels = blocks.map(({ label }) => label);
  if (labels.some((label) => label.endsWith('PRIVATE KEY'))) return 'a private key';
  if (labels.some((label) => certificateLabels.includes(label))) return 'a certificate';
  return `"${(labels[0] ?? '').slice(0, 40)}"`;
}

function dateWarnings(certificates: readonly X509Certificate[], nowMs: number): string[] {
  return positionedValidities(certificates).flatMap((validity) => {
    const { position, fromMs } = validity;
    if (nowMs < fromMs) return [`${position} is not valid before ${formatDate(fromMs)}`];
    const end = describeEnd(validity, nowMs);
    return end === undefined ? [] : [`${position} ${end}`];
  });
}

function caDateWarnings(certificates: readonly X509Certificate[], nowMs: number): string[] {
  if (certificates.length === 1) return dateWarnings(certificates, nowMs);
  const inForce = positionedValidities(certificates).filter(({ fromMs, toMs }) => fromMs <= nowMs && nowMs <= toMs);
  const [last] = inForce.sort((a, b) => b.toMs - a.toMs);
  if (last === undefined) return [`none of its ${certificates.length} certificates is valid at present`];
  const end = describeEnd(last, nowMs);
  return end === undefined ? [] : [`${lastOf(certificates.length)} ${end}`];
}

function positionedValidities(certificates: readonly X509Certificate[]): PositionedValidity[] {
  return certificates.map((certificate, index) => ({
    position: positionInChain(index, certificates.length),
    ...validityOf(certificate),
  }));
}

/** In TLS 1.2 each certificate must certify the one before it (RFC 5246, section 7.4.2). Many clients still insist on this. */
function orderWarnings(certificates: readonly X509Certificate[]): string[] {
  return certificates.flatMap((certificate, index) => {
    const issuer = certificates[index + 1];
    if (issuer === undefined || certificate.checkIssued(issuer)) return [];
    const position = positionInChain(index, certificates.length);
    const other = positionInChain(index + 1, certificates.length);
    return [`${position} was not issued by ${other}: clients may not accept the chain`];
  });
}

function positionInChain(index: number, count: number): string {
  return count === 1 ? 'the certificate' : `certificate ${index + 1} of ${count}`;
}

function lastOf(count: number): string {
  return count === 1 ? 'the certificate' : `the last of its ${count} certificates`;
}

/** Why OpenSSL refuses these; `undefined` if it accepts them. */
function refusal(options: { cert: string; key?: string; ciphers?: string }): string | undefined {
  try {
    createSecureContext(options);
    return undefined;
  } catch (error) {
    const reason = reasonOf(error); // SSL_R_EE_KEY_TOO_SMALL, and in OpenSSL 3.0 (not 3.5) SSL_R_CA_MD_TOO_WEAK
    const weak = /too (?:small|weak)$/.test(reason);
    return weak ? `is too weak for OpenSSL's security level: ${reason}` : `is refused by OpenSSL: ${reason}`;
  }
}

/** OpenSSL's own short reason: `wrong tag`. It names a kind of error and never holds data of the file. */
function reasonOf(error: unknown): string {
  const { reason, code } = error as { reason?: string; code?: string };
  return reason ?? code ?? 'unknown error';
}
