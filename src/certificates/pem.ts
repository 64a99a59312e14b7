import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { createSecureContext, DEFAULT_CIPHERS } from 'node:tls';

import { describeEnd, formatDate, type Validity } from './validity.js';

/**
 * What is wrong with a PEM file, in words that follow its name: `is empty`, `holds a private key where ...`. Problems
 * stop the start, warnings do not. No message quotes the file.
 */
export interface PemCheck {
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Checks a certificate, or a chain with the certificate itself first. Every certificate of the file is parsed: OpenSSL
 * would find a broken intermediate only when it loads the chain, without a word on which one it is.
 *
 * @param nowMs the wall clock, against which dates are held
 * @param ciphers the cipher string that it will be served with: its `@SECLEVEL` decides what is too weak
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
 * Checks a private key, and that it is the key of the (first) certificate. The words follow the name of the key's file.
 * What is wrong with the certificate itself is left to `checkCertificate`.
 */
export function checkKeyPair(cert: string, key: string): PemCheck {
  const parsed = parseKey(key);
  if (typeof parsed === 'string') return failed(parsed);
  const { certificates, problems } = parseCertificates(cert);
  if (problems.length > 0) return passed;
  const at = certificates.findIndex((certificate) => certificate.checkPrivateKey(parsed));
  if (at === -1) return failed('is not the key of the certificate');
  if (at > 0) {
    const which = place(at, certificates.length);
    return failed(`is the key of ${which} in the certificate file, where the certificate itself must come first`);
  }
  const other = refusal({ cert, key, ciphers: `${DEFAULT_CIPHERS}:@SECLEVEL=0` }); // strength: checkCertificate
  return other === undefined ? passed : failed(other);
}

/**
 * Checks a bundle of certificates to trust. A distribution's holds roots that have expired or are too weak, and whoever reads
 * the warning cannot mend them: they are told only where no other is left. Node takes anything as `ca`, an empty text or a key as well, and then trusts
 * nobody.
 */
export function checkCa(pem: string, nowMs: number): PemCheck {
  const { certificates, problems } = parseCertificates(pem);
  if (problems.length > 0) return { problems, warnings: [] };
  // OpenSSL holds trusted certificates to the security level in each handshake; loading one as our own does it now
  const weaknessOf = (certificate: X509Certificate) => refusal({ cert: certificate.toString() });
  // one that is strong is enough, and each costs a millisecond of the event loop: Debian's bundle has 140
  if (certificates.every((certificate) => weaknessOf(certificate) !== undefined)) {
    const told = certificates.map(
      (certificate, index) => `${place(index, certificates.length)} ${weaknessOf(certificate)}`,
    );
    return { problems: told, warnings: [] };
  }
  const warnings = caDateWarnings(certificates, nowMs);
  if (!certificates.some((certificate) => certificate.checkIssued(certificate))) {
    warnings.push('holds no self-signed certificate: OpenSSL trusts a chain only up to its root');
  }
  return { problems: [], warnings };
}

/** A certificate of a file, and its place there: `certificate 2 of 3`. */
export interface PlacedValidity extends Validity {
  readonly place: string;
}

/** The dates of each certificate of a PEM text; none where it cannot be read. */
export function readValidities(pem: string): readonly PlacedValidity[] {
  return placed(parseCertificates(pem).certificates);
}

/** The dates of the certificate to trust that lasts longest: from its end on nobody is trusted. */
export function readCaValidity(pem: string): PlacedValidity | undefined {
  const { certificates } = parseCertificates(pem);
  const [last] = [...placed(certificates)].sort((a, b) => b.toMs - a.toMs);
  return last && { ...last, place: lastPlace(certificates.length) };
}

const passed: PemCheck = { problems: [], warnings: [] };

function failed(problem: string): PemCheck {
  return { problems: [problem], warnings: [] };
}

interface Block {
  /** What stands after `BEGIN`: `CERTIFICATE`, `PRIVATE KEY`. */
  readonly label: string;
  readonly text: string;
}

/** The PEM blocks of a file (RFC 7468: a label is any text, `X9.42 DH PARAMETERS` for one), or what is wrong with it. Text between the blocks is allowed, and common. */
function parseBlocks(pem: string): readonly Block[] | string {
  if (pem.trim() === '') return 'is empty';
  const blocks = [...pem.matchAll(/-----BEGIN ([^\r\n]*?)-----[^]*?-----END \1-----/g)];
  const begun = pem.match(/-----BEGIN /g)?.length ?? 0;
  if (begun === 0) return 'is not PEM: no line begins with -----BEGIN (a DER or PKCS#12 file must be converted)';
  if (blocks.length !== begun) return 'is cut off: a -----BEGIN line is without its -----END line';
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
      problems.push(`${place(index, texts.length)} cannot be read: ${reasonOf(error)}`);
    }
  }
  return { certificates, problems };
}

function parseKey(pem: string): KeyObject | string {
  const blocks = parseBlocks(pem);
  if (typeof blocks === 'string') return blocks;
  const key = blocks.find(({ label }) => label.endsWith('PRIVATE KEY')); // OpenSSL, too, takes the first
  if (key === undefined) return `holds ${contents(blocks)} where a private key is expected`;
  if (key.label === 'ENCRYPTED PRIVATE KEY' || /^Proc-Type: *4,ENCRYPTED/m.test(key.text)) {
    return 'is encrypted: passphrases are not supported, decrypt it (openssl pkey) and guard it by its file mode';
  }
  if (key.label === 'OPENSSH PRIVATE KEY')
    return "holds an OpenSSH key: OpenSSL doesn't read them, convert it to PKCS#8";
  try {
    return createPrivateKey(key.text);
  } catch (error) {
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
  return placed(certificates).flatMap((validity) => {
    const { place: which, fromMs } = validity;
    if (nowMs < fromMs) return [`${which} is not valid before ${formatDate(fromMs)}`];
    const end = describeEnd(validity, nowMs);
    return end === undefined ? [] : [`${which} ${end}`];
  });
}

function caDateWarnings(certificates: readonly X509Certificate[], nowMs: number): string[] {
  if (certificates.length === 1) return dateWarnings(certificates, nowMs);
  const inForce = placed(certificates).filter(({ fromMs, toMs }) => fromMs <= nowMs && nowMs <= toMs);
  const [last] = inForce.sort((a, b) => b.toMs - a.toMs);
  if (last === undefined) return [`none of its ${certificates.length} certificates is valid at present`];
  const end = describeEnd(last, nowMs);
  return end === undefined ? [] : [`${lastPlace(certificates.length)} ${end}`];
}

function placed(certificates: readonly X509Certificate[]): PlacedValidity[] {
  return certificates.map((certificate, index) => ({
    place: place(index, certificates.length),
    ...validityOf(certificate),
  }));
}

/** From when to when a certificate is valid. */
export function validityOf({ validFrom, validTo }: Pick<X509Certificate, 'validFrom' | 'validTo'>): Validity {
  return { fromMs: Date.parse(validFrom), toMs: Date.parse(validTo) };
}

/** TLS 1.2 wants each certificate certified by the next (RFC 5246, section 7.4.2); many clients still insist. */
function orderWarnings(certificates: readonly X509Certificate[]): string[] {
  return certificates.flatMap((certificate, index) => {
    const issuer = certificates[index + 1];
    if (issuer === undefined || certificate.checkIssued(issuer)) return [];
    const [which, other] = [place(index, certificates.length), place(index + 1, certificates.length)];
    return [`${which} was not issued by ${other}: clients may not accept the chain`];
  });
}

function place(index: number, count: number): string {
  return count === 1 ? 'the certificate' : `certificate ${index + 1} of ${count}`;
}

function lastPlace(count: number): string {
  return count === 1 ? 'the certificate' : `the last of its ${count} certificates`;
}

/** Why OpenSSL would not take these, or `undefined` when it does. */
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

/** OpenSSL's own short reason: `wrong tag`. It names kinds of errors and never holds data. */
function reasonOf(error: unknown): string {
  const { reason, code } = error as { reason?: string; code?: string };
  return reason ?? code ?? 'unknown error';
}
