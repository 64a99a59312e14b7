import { isIPv6 } from 'node:net';

/** Host and port as in a URL: `localhost:8008`, `[::1]:8008` (RFC 3986, section 3.2.2). For people: an IPv6 zone is kept. */
export function authority(host: string, port: number): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/**
 * Host and port in `etcd1:2379`, `[::1]:2379` or `etcd1`. The host of `[::1]` is `::1`. The name and the range of the port are
 * not checked. `undefined` if the text has no such form. An IPv6 address must have brackets: `::1:2379` is an address itself.
 */
export function parseEndpoint(
  text: string,
  defaultPort: number,
): { readonly host: string; readonly port: number } | 'no brackets' | undefined {
  const [, bracketed, name = '', digits] = /^(?:\[([^[\]]*)\]|([^[\]]*?))(?::(\d*))?$/.exec(text) ?? [];
  if (isIPv6(text) || isIPv6(name)) return 'no brackets';
  const isHost = bracketed === undefined ? name !== '' && !name.includes(':') : isIPv6(bracketed);
  return isHost ? { host: bracketed ?? name, port: digits === undefined ? defaultPort : Number(digits) } : undefined;
}

/** Scheme, host and port as in a URL: `http://localhost:8008`. */
export function origin({
  scheme,
  host,
  port,
}: {
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
}): string {
  return `${scheme}://${authority(host, port)}`;
}

/**
 * An IPv6 address without its zone: `fe80::1` of `fe80::1%eth0`. A zone has a meaning only on the host where it is written.
 * So neither a URL in a request nor a certificate contains it (RFC 6874, section 4).
 */
export function withoutZone(host: string): string {
  return isIPv6(host) ? host.replace(/%.*$/s, '') : host;
}
