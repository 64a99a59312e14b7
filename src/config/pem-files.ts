import { type Field, type Section, type SectionName } from './section.js';
import { filePath } from './checks.js';
import type { KeyPair } from './types.js';
import { checkCa, checkCertificate, checkKeyPair, type PemCheck } from '../certificates/pem.js';

/** What reading files needs from outside. */
export interface FileSource {
  /** The text of a file; throws as `readFileSync` does. */
  readonly readFile: (path: string) => string;
  /** The wall clock: the dates of certificates are held against it. */
  readonly nowMs: number;
}

type FileKey = 'certfile' | 'keyfile';

/** Reads the paths of certificate and key; one without the other is a problem. */
export function readPairPaths<N extends 'frontend' | 'backend'>(section: Section<N>): Record<FileKey, Field<string>> {
  const [certfile, keyfile] = [section.read('certfile', filePath), section.read('keyfile', filePath)];
  if (certfile.kind !== 'absent' && keyfile.kind === 'absent') {
    section.complain('certfile', certfile.at).problem('a certificate alone is of no use; give keyfile as well');
  }
  if (keyfile.kind !== 'absent' && certfile.kind === 'absent') {
    section.complain('keyfile', keyfile.at).problem('a key alone is of no use; give certfile as well');
  }
  return { certfile, keyfile };
}

/**
 * Reads and checks the two files.
 *
 * @param ciphers the OpenSSL cipher string that the certificate will be served with: it decides what is too weak
 */
export function readPair<N extends 'frontend' | 'backend'>(
  section: Section<N>,
  { certfile, keyfile }: Record<FileKey, Field<string>>,
  { readFile, nowMs }: FileSource,
  ciphers?: string,
): KeyPair | undefined {
  const cert = readPem(section, 'certfile', certfile, readFile, (pem) => checkCertificate(pem, nowMs, ciphers));
  const key = readPem(section, 'keyfile', keyfile, readFile, (pem) => checkKeyPair(cert?.text ?? '', pem));
  return cert && key && { certfile: cert.file, keyfile: key.file, cert: cert.text, key: key.text };
}

/** Reads and checks a bundle of certificates to trust. */
export function readCa(
  section: Section<'backend'>,
  cafile: Field<string>,
  { readFile, nowMs }: FileSource,
): { readonly cafile: string; readonly ca: string } | undefined {
  const read = readPem(section, 'cafile', cafile, readFile, (pem) => checkCa(pem, nowMs));
  return read && { cafile: read.file, ca: read.text };
}

function readPem<N extends SectionName>(
  section: Section<N>,
  key: Parameters<Section<N>['complain']>[0],
  field: Field<string>,
  readFile: FileSource['readFile'],
  check: (pem: string) => PemCheck,
): { file: string; text: string } | undefined {
  if (field.kind !== 'given') return undefined;
  const { value: file, at } = field;
  const { problem, warning } = section.complain(key, at);
  try {
    const text = readFile(file);
    const { problems, warnings } = check(text);
    for (const message of problems) problem(`${file} ${message}`);
    for (const message of warnings) warning(`${file}: ${message}`);
    return { file, text };
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
  if (code === undefined) throw error; // not the file's fault
  return REASONS[code] ?? code;
}
