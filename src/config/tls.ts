import { DEFAULT_CIPHERS } from 'node:tls';
import { type PemCheck, checkCa, checkCertificate, checkKeyPair } from '../certificates/pem.js';
import { type Field, type Fields, tlsSettingsOf, warnOfNoEffect } from './section.js';
import { cipherWarnings, keyTypeWarning, securityLevel } from './tls-names.js';
import type { BackendTls, FrontendTls, KeyPair } from './types.js';

/** How to read the PEM files, and the time to which the dates of certificates are compared. */
export interface FileSource {
  /** Returns the text of a file. Throws the errors of `readFileSync`. */
  readonly readFile: (path: string) => string;
  /** The wall clock, in milliseconds since 1970. */
  readonly nowMs: number;
}

type FileField = Field<string | undefined>;
type PairFields = Readonly<Record<'certfile' | 'keyfile', FileField>>;

/**
 * The front end's TLS settings. `undefined` if the file names no certificate and key (plain HTTP), or if they have a
 * problem.
 */
export function readFrontendTls(fields: Fields, source: FileSource): FrontendTls | undefined {
  const { certfile, keyfile, minVersion, ciphers } = fields.frontend;
  mustBePair(fields.frontend);
  if (certfile.state === 'absent' && keyfile.state === 'absent') {
    warnOfNoEffect(tlsFields(fields.frontend), 'without certfile and keyfile');
    return undefined;
  }
  const { ciphers: names = [], ...settings } = tlsSettingsOf('frontend', fields);
  const level = securityLevel(minVersion.value, names);
  const pair = readPair(fields.frontend, source, [DEFAULT_CIPHERS, ...(level === undefined ? [] : [level])].join(':'));
  if (ciphers.state === 'given') {
    const ofVersion = minVersion.state === 'bad' ? [] : cipherWarnings(minVersion.value, names);
    const ofKeyType = pair && keyTypeWarning(names, pair.cert);
    for (const warning of [...ofVersion, ...(ofKeyType === undefined ? [] : [ofKeyType])]) ciphers.warning(warning);
  }
  return pair && { ...settings, ...pair, ...(names.length > 0 && { ciphers: names }) };
}

/**
 * TLS settings for Patroni's API, which have an effect only if `scheme` is https: a CA, and a client certificate with its
 * key.
 */
export function readBackendTls(fields: Fields, source: FileSource): BackendTls {
  const { scheme, insecure, cafile } = fields.backend;
  mustBePair(fields.backend);
  if (scheme.value === 'http') {
    // Only a warning: the operator may have prepared the files for the day when scheme becomes https.
    warnOfNoEffect(tlsFields(fields.backend), 'while backend.scheme is http');
    return { insecure: insecure.value };
  }
  if (insecure.value) {
    const unused = cafile.state === 'given' ? '; cafile has no effect' : '';
    insecure.warning(
      `patroniglue does not check Patroni's certificate: an attacker in between can answer in Patroni's place${unused}`,
    );
  }
  const ca = readPem(cafile, source, (pem) => checkCa(pem, source.nowMs));
  return { ...tlsSettingsOf('backend', fields), ...(ca !== undefined && { ca }), ...readPair(fields.backend, source) };
}

/** The TLS fields, without those that are `false`: they change nothing. */
function tlsFields(fields: Fields['frontend'] | Fields['backend']): readonly Field<unknown>[] {
  return Object.values<Field<unknown>>(fields).filter(({ key, value }) => key.group === 'tls' && value !== false);
}

function mustBePair({ certfile, keyfile }: PairFields): void {
  if (certfile.state !== 'absent' && keyfile.state === 'absent') {
    certfile.problem('keyfile is missing: give both certfile and keyfile, or neither');
  }
  if (keyfile.state !== 'absent' && certfile.state === 'absent') {
    keyfile.problem('certfile is missing: give both certfile and keyfile, or neither');
  }
}

/** @param ciphers the server's cipher string in OpenSSL's syntax: its security level decides which certificates are too weak */
function readPair({ certfile, keyfile }: PairFields, source: FileSource, ciphers?: string): KeyPair | undefined {
  const cert = readPem(certfile, source, (pem) => checkCertificate(pem, source.nowMs, ciphers));
  const key = readPem(keyfile, source, (pem) => checkKeyPair(cert ?? '', pem));
  if (certfile.value === undefined || keyfile.value === undefined || cert === undefined || key === undefined) {
    return undefined;
  }
  return { certfile: certfile.value, keyfile: keyfile.value, cert, key };
}

/** The text of a PEM file, after the check. `undefined` if the field is absent, or if the file cannot be read. */
function readPem(field: FileField, { readFile }: FileSource, check: (pem: string) => PemCheck): string | undefined {
  const { value: file, problem, warning } = field;
  if (file === undefined) return undefined;
  try {
    const text = readFile(file);
    const { problems, warnings } = check(text);
    for (const message of problems) problem(`${file} ${message}`);
    for (const message of warnings) warning(`${file}: ${message}`);
    return text;
  } catch (error) {
    problem(`cannot read ${file}: ${fileReason(error)}`);
    return undefined;
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  ENOTDIR: 'no such file',
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
  ENAMETOOLONG: 'the name is too long',
};

/** Why a file could not be read, in a few words: `no such file`. */
export function fileReason(error: unknown): string {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  if (code === undefined) throw error; // not an error of the file system
  return REASONS[code] ?? code;
}
