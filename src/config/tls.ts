import { DEFAULT_CIPHERS } from 'node:tls';
import {
  type PemCheck,
  checkCa,
  checkCertificate,
  checkKeyPair,
  decryptedKey,
  isEncryptedKey,
} from '../certificates/pem.js';
import { type Field, type Fields, tlsSettingsOf, warnOfNoEffect } from './section.js';
import { cipherWarnings, keyTypeWarning, securityLevel } from './tls-names.js';
import type { ClientTls, FrontendTls, KeyPair } from './types.js';

/** How to read the files that the configuration names, and the time to which the dates of certificates are compared. */
export interface FileSource {
  /** Returns the text of a file. Throws the errors of `readFileSync`. */
  readonly readFile: (path: string) => string;
  /** The wall clock, in milliseconds since 1970. */
  readonly nowMs: number;
}

type FileField = Field<string | undefined>;
type PairFields = Readonly<Record<'certfile' | 'keyfile' | 'keyfilePasswordFile', FileField>>;

/**
 * The front end's TLS settings. `undefined` if the file names no certificate and key (plain HTTP), or if they have a
 * problem.
 */
export function readFrontendTls(fields: Fields, source: FileSource): FrontendTls | undefined {
  const { certfile, keyfile, minVersion, ciphers, cafile, verifyClient, ...others } = fields.frontend;
  mustBePair(certfile, keyfile);
  if (certfile.state === 'absent' && keyfile.state === 'absent') {
    warnOfNoEffect(tlsFields({ ...others, minVersion, ciphers }), 'without certfile and keyfile');
    refuseWithoutHttps([cafile, ...(verifyClient.value === 'none' ? [] : [verifyClient])]);
    return undefined;
  }
  const ca = readClientCa(fields.frontend, source);
  const { ciphers: chosen = [], ...settings } = tlsSettingsOf('frontend', fields);
  const level = securityLevel(minVersion.value, chosen);
  const pair = readPair(fields.frontend, source, [DEFAULT_CIPHERS, ...(level === undefined ? [] : [level])].join(':'));
  if (ciphers.state === 'given') {
    const ofVersion = minVersion.state === 'bad' ? [] : cipherWarnings(minVersion.value, chosen);
    const ofKeyType = pair && keyTypeWarning(chosen, pair.cert);
    for (const warning of [...ofVersion, ...(ofKeyType === undefined ? [] : [ofKeyType])]) ciphers.warning(warning);
  }
  return (
    pair && {
      ...settings,
      ...pair,
      ...(ca !== undefined && { ca }),
      ...(chosen.length > 0 && { ciphers: chosen }),
    }
  );
}

/** Reports keys about client certificates if the front end has no HTTPS. A warning would leave the port open to all. */
function refuseWithoutHttps(fields: readonly Field<unknown>[]): void {
  const fix = 'give certfile and keyfile as well, or remove this key';
  for (const field of fields) {
    if (field.state === 'given') field.problem(`the front end has no HTTPS, so clients show no certificate: ${fix}`);
  }
}

/** The CA of the clients. Without it, no certificate of a client could be checked. */
function readClientCa({ cafile, verifyClient }: Fields['frontend'], source: FileSource): string | undefined {
  if (verifyClient.value === 'none') {
    warnOfNoEffect([cafile], `while ${verifyClient.path} is none`);
  } else if (cafile.state === 'absent') {
    const fix = `give cafile, the file of the CA that signs the certificates of clients, or write none`;
    verifyClient.problem(`${verifyClient.value} needs ${cafile.path}: ${fix}`);
  }
  return readChecked(cafile, source, (pem) => checkCa(pem, source.nowMs));
}

/**
 * TLS settings for a server that patroniglue asks, which have an effect only if `scheme` is https: a CA, and a client
 * certificate with its key.
 *
 * @param server its name for people: `Patroni`
 */
export function readClientTls<N extends 'backend' | 'witness.etcd3'>(
  name: N,
  server: string,
  fields: Fields,
  source: FileSource,
): ClientTls<N> {
  const { scheme, insecure, cafile, ...others }: Fields['backend' | 'witness.etcd3'] = fields[name];
  mustBePair(others.certfile, others.keyfile);
  if (scheme.value === 'http') {
    // Only a warning: the operator may have prepared the files for the day when scheme becomes https.
    warnOfNoEffect(tlsFields(fields[name]), `while ${scheme.path} is http`);
    return { insecure: insecure.value } as ClientTls<N>;
  }
  if (insecure.value) {
    const unused = cafile.state === 'given' ? '; cafile has no effect' : '';
    insecure.warning(
      `patroniglue does not check ${server}'s certificate: an attacker in between can answer in ${server}'s place${unused}`,
    );
  }
  const ca = readChecked(cafile, source, (pem) => checkCa(pem, source.nowMs));
  return { ...tlsSettingsOf(name, fields), ...(ca !== undefined && { ca }), ...readPair(others, source) };
}

/** The password for etcd, without the line end of its file. `undefined` if the file names none, or if it has a problem. */
export function readPassword(fields: Fields, source: FileSource): string | undefined {
  const { username, passwordFile } = fields['witness.etcd3'];
  mustBePair(username, passwordFile);
  return passwordIn(passwordFile, source);
}

/** The password in a file: `undefined` if the field is absent, or if the file has a problem. */
function passwordIn(field: FileField, source: FileSource): string | undefined {
  const text = readChecked(field, source, checkPassword, 'the file');
  return text === undefined || checkPassword(text).problems.length > 0 ? undefined : text.replace(FINAL_LINE_END, '');
}

/** Editors and `echo` end a file with a line end, which is not part of the password. */
const FINAL_LINE_END = /\r?\n$/;

/** Most bytes of a file with a password. */
const MAX_PASSWORD_BYTES = 4096;

/** What is wrong with the text of a password file. No message may show the text. */
function checkPassword(text: string): PemCheck {
  const password = text.replace(FINAL_LINE_END, '');
  const problems = [
    ...(password === '' ? ['is empty: write the password into it'] : []),
    ...(Buffer.byteLength(text) > MAX_PASSWORD_BYTES
      ? [`is larger than ${MAX_PASSWORD_BYTES / 1024} KiB: is it the password?`]
      : []),
    ...(/[\r\n]/.test(password) ? ['has more than one line: the password must be its only line'] : []),
  ];
  return { problems, warnings: [] };
}

/** The TLS fields, without those that are `false`: they change nothing. */
function tlsFields(fields: Readonly<Record<string, Field<unknown>>>): readonly Field<unknown>[] {
  return Object.values(fields).filter(({ key, value }) => key.group === 'tls' && value !== false);
}

/** Reports one of two fields without the other. */
function mustBePair(one: Field<unknown>, other: Field<unknown>): void {
  const fix = `give both ${one.key.name} and ${other.key.name}, or neither`;
  if (one.state !== 'absent' && other.state === 'absent') one.problem(`${other.key.name} is missing: ${fix}`);
  if (other.state !== 'absent' && one.state === 'absent') other.problem(`${one.key.name} is missing: ${fix}`);
}

/** @param ciphers the server's cipher string in OpenSSL's syntax: its security level decides which certificates are too weak */
function readPair(fields: PairFields, source: FileSource, ciphers?: string): KeyPair | undefined {
  const { certfile, keyfile, keyfilePasswordFile } = fields;
  const cert = readChecked(certfile, source, (pem) => checkCertificate(pem, source.nowMs, ciphers));
  const passphrase = passwordIn(keyfilePasswordFile, source);
  const written = readChecked(keyfile, source, (pem) =>
    // without a passphrase that can be read, its own problem is enough
    passphrase === undefined && keyfilePasswordFile.state !== 'absent' && isEncryptedKey(pem)
      ? { problems: [], warnings: [] }
      : checkKeyPair(cert ?? '', pem, passphrase),
  );
  if (keyfile.state === 'absent' && keyfilePasswordFile.state !== 'absent') {
    keyfilePasswordFile.problem('keyfile is missing: give certfile and keyfile as well, or remove this key');
  }
  if (passphrase !== undefined && written !== undefined && !isEncryptedKey(written)) {
    keyfilePasswordFile.warning('has no effect: the key has no passphrase');
  }
  const key = passphrase === undefined || written === undefined ? written : decryptedKey(written, passphrase);
  if (certfile.value === undefined || keyfile.value === undefined || cert === undefined || key === undefined) {
    return undefined;
  }
  return { certfile: certfile.value, keyfile: keyfile.value, cert, key };
}

/**
 * The text of a file, after the check. `undefined` if the field is absent, or if the file cannot be read.
 *
 * @param name how messages name the file: without a path where somebody may have written a password in its place
 */
function readChecked(
  { value: file, problem, warning }: FileField,
  { readFile }: FileSource,
  check: (text: string) => PemCheck,
  name = file,
): string | undefined {
  if (file === undefined || name === undefined) return undefined;
  try {
    const text = readFile(file);
    const { problems, warnings } = check(text);
    for (const message of problems) problem(`${name} ${message}`);
    for (const message of warnings) warning(`${name}: ${message}`);
    return text;
  } catch (error) {
    problem(`cannot read ${name}: ${fileReason(error)}${remedy(file, error)}`);
    return undefined;
  }
}

/** The reason why a file could not be read that another user may read. */
export const NO_PERMISSION = 'permission denied';

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  ENOTDIR: 'no such file',
  EACCES: NO_PERMISSION,
  EISDIR: 'it is a directory',
  ENAMETOOLONG: 'the name is too long',
};

/** What to do about a file that the service cannot read, if systemd can give it a copy. */
function remedy(file: string, error: unknown): string {
  if (fileReason(error) === NO_PERMISSION) {
    return '. The service runs as a user of its own: LoadCredential= gives it a copy (docs/install.md)';
  }
  const isCopy = file.startsWith('/run/credentials/');
  return isCopy ? '. It is there while the service runs, if a drop-in has LoadCredential= (docs/install.md)' : '';
}

/** Why a file could not be read, in a few words: `no such file`. */
export function fileReason(error: unknown): string {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  if (code === undefined) throw error; // not an error of the file system
  return REASONS[code] ?? code;
}
