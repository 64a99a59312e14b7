import { isIP } from 'node:net';

/** Host and port as patroni.yml has them. An IPv6 address has no brackets. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/**
 * Host and port of a text such as `10.0.0.11:8008`, `[::1]:8008`, `*:5432` or `https://node1:8008/`. Only the last colon
 * separates the port, with or without brackets around an IPv6 address (`split_host_port` in `patroni/utils.py`). A user and a
 * password are dropped. `undefined` if there is no port and no default, or if the port is none.
 */
export function endpointIn(text: string, defaultPort?: number): Endpoint | undefined {
  const bare = text
    .trim()
    .replace(/^.*@/s, '') // before anything else: a password may have a slash
    .replace(/^[a-z]+:\/\//i, '')
    .replace(/[/?#].*$/s, '');
  const [, before = bare, digits] = /^\[[^\]]*\]$/.test(bare) ? [] : (/^(.*):(\d*)$/s.exec(bare) ?? []);
  const port = digits === undefined || digits === '' ? defaultPort : Number(digits);
  if (port === undefined || port < 1 || port > 65_535) return undefined;
  return { host: before.trim().replace(/^\[|\]$/g, ''), port };
}

/** True for what patroniglue's configuration accepts as a host: a name or an address. */
export function isHost(text: string): boolean {
  if (isIP(text) !== 0) return true;
  return /^[\p{L}\p{N}._-]{1,253}$/u.test(text) && !/(?:^|\.)\d+\.?$/.test(text);
}

/** True for the words with which a program listens on all addresses of the machine. */
export function isWildcard(host: string): boolean {
  return ['', '*', '0.0.0.0', '::'].includes(host);
}
