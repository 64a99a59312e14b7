import { AxiosError } from './axios.js';
import type { FailureReason, PollFailure, TlsTrouble } from '../patroni/types.js';

/** An error that says its reason itself. */
export class ReasonedError extends Error {
  override readonly name: string = 'ReasonedError';
  readonly reason: FailureReason;

  constructor(reason: FailureReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** A complete HTTP response that patroniglue cannot use as an answer. */
export class MalformedAnswerError extends ReasonedError {
  override readonly name = 'MalformedAnswerError';

  constructor(message: string, options: { readonly reason?: FailureReason; readonly cause?: unknown } = {}) {
    super(options.reason ?? 'malformed', message, { cause: options.cause });
  }
}

const REASON_BY_CODE: Readonly<Record<string, FailureReason>> = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
  ETIMEDOUT: 'timed-out',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  EADDRNOTAVAIL: 'unreachable',
  ENOTFOUND: 'name-lookup',
  EAI_AGAIN: 'name-lookup',
  EAI_FAIL: 'name-lookup',
  ERR_TOO_LARGE: 'too-large',
  EMFILE: 'no-files',
  ENFILE: 'no-files',
  EPROTO: 'tls',
};

/**
 * Node's codes for certificates that OpenSSL refuses: the closed list in Node's documentation (tls, "X509 certificate error
 * codes"), and `UNSPECIFIED` for all other reasons (a key too weak for the security level, an unknown extension).
 */
const X509_CODES: ReadonlySet<string> = new Set([
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_CRL',
  'UNABLE_TO_DECRYPT_CERT_SIGNATURE',
  'UNABLE_TO_DECRYPT_CRL_SIGNATURE',
  'UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY',
  'CERT_SIGNATURE_FAILURE',
  'CRL_SIGNATURE_FAILURE',
  'CERT_NOT_YET_VALID',
  'CERT_HAS_EXPIRED',
  'CRL_NOT_YET_VALID',
  'CRL_HAS_EXPIRED',
  'ERROR_IN_CERT_NOT_BEFORE_FIELD',
  'ERROR_IN_CERT_NOT_AFTER_FIELD',
  'ERROR_IN_CRL_LAST_UPDATE_FIELD',
  'ERROR_IN_CRL_NEXT_UPDATE_FIELD',
  'OUT_OF_MEM',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_CHAIN_TOO_LONG',
  'CERT_REVOKED',
  'INVALID_CA',
  'PATH_LENGTH_EXCEEDED',
  'INVALID_PURPOSE',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'HOSTNAME_MISMATCH',
  'UNSPECIFIED',
]);

/** Codes of Node's own TLS errors, and of errors of OpenSSL's libraries. */
const TLS_PREFIXES = ['ERR_TLS_', 'ERR_SSL_', 'ERR_OSSL_'];

const TROUBLE_BY_CODE: Readonly<Record<string, TlsTrouble>> = {
  ERR_SSL_WRONG_VERSION_NUMBER: 'no-tls',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'no-tls',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'unknown-ca',
  SELF_SIGNED_CERT_IN_CHAIN: 'unknown-ca',
  UNABLE_TO_GET_ISSUER_CERT: 'unknown-ca',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'unknown-ca',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'unknown-ca',
  ERR_TLS_CERT_ALTNAME_INVALID: 'wrong-name',
  CERT_NOT_YET_VALID: 'dates',
  CERT_HAS_EXPIRED: 'dates',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'client-certificate',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'client-certificate',
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: 'client-certificate',
};

/** Turns the error of a request, with codes of Node or OpenSSL, into one of a closed list of reasons. */
export function classifyFailure(cause: unknown): PollFailure {
  const message = oneLine(cause instanceof Error ? firstMessage(cause) : String(cause));
  if (cause instanceof ReasonedError) return { reason: cause.reason, message };
  const reason = reasonOf(cause, message);
  const code = codeOf(cause);
  // Node 20 has no code of its own for what OpenSSL says while it writes: the code is made of OpenSSL's reason, as Node 22 does
  const spelled = code === 'EPROTO' ? `ERR_SSL_${message.toUpperCase().replaceAll(' ', '_')}` : code;
  const tls = reason === 'tls' ? TROUBLE_BY_CODE[spelled] : undefined;
  return { reason, message, ...(tls && { tls }) };
}

/** OpenSSL's error text (`ERR_error_string`), and the place in its source that Node adds, with a line end. */
const OPENSSL_TEXT = /^(?:\w+ EPROTO )?\w*:error:[\dA-F]+:[^:]*:[^:]*:([^:]+):.*$/s;

/** A message without line ends. Of a text of OpenSSL, only the reason. */
function oneLine(message: string): string {
  return message.replace(OPENSSL_TEXT, '$1').replace(/\s+/g, ' ').trim();
}

function reasonOf(cause: unknown, message: string): FailureReason {
  if (message.startsWith('maxContentLength')) return 'too-large'; // axios has no code for this
  if (message === 'aborted' || message.includes('stream has been aborted')) return 'cut-off';
  const code = codeOf(cause);
  if (code.startsWith('HPE_')) return 'malformed'; // llhttp, Node's HTTP parser
  if (X509_CODES.has(code) || TLS_PREFIXES.some((prefix) => code.startsWith(prefix))) return 'tls';
  return REASON_BY_CODE[code] ?? 'other';
}

/** The code of the innermost error: axios wraps errors, and an attempt with several addresses has one error for each. */
function codeOf(cause: unknown): string {
  if (cause instanceof AxiosError && cause.cause !== undefined) return codeOf(cause.cause);
  if (cause instanceof AggregateError) return codeOf(cause.errors[0]);
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
}

/** The message of an error. An AggregateError (`localhost` on ::1 and 127.0.0.1) has only the messages of its attempts. */
function firstMessage(error: Error): string {
  if (error instanceof AggregateError) return error.errors.map(String).join('; ').replaceAll('Error: ', '');
  if (error.message === '' && error.cause instanceof Error) return firstMessage(error.cause);
  return error.message.replace(' - Local (undefined:undefined)', ''); // Node adds this without a socket
}
