/** An address that patroniglue is to listen on. */
export interface ListenTarget {
  readonly host: string;
  readonly port: number;
  /** The section of the configuration that names the address. */
  readonly section: 'frontend' | 'agent';
}

/** Why patroniglue cannot listen, in one line that says what to change: `cannot listen on 10.0.0.9: it is no address of ...`. */
export function whyNotListening({ host, port, section }: ListenTarget, cause: unknown): string {
  const { code } = cause as NodeJS.ErrnoException;
  const key = `${section}.host`;
  switch (code) {
    case 'EADDRINUSE':
      return `cannot listen on ${host} port ${port}: the port is taken: stop the other program, or set ${section}.port`;
    case 'EACCES':
      return `cannot listen on ${host} port ${port}: no right to listen on this port: set ${section}.port to 1024 or higher, or grant CAP_NET_BIND_SERVICE`;
    case 'EADDRNOTAVAIL':
      return `cannot listen on ${host}: it is no address of this host; set ${key} to one of them ("ip address" lists them), or to 0.0.0.0 for all`;
    case 'EAFNOSUPPORT':
      return `cannot listen on ${host}: this host has no IPv6; set ${key} to an IPv4 address`;
    case 'EINVAL':
      return `cannot listen on ${host}: a link-local address needs its interface, as in fe80::1%eth0`;
    case 'ENOTFOUND':
      return `cannot listen on ${host}: the name is not known; set ${key} to a name or an address of this host`;
    case 'EAI_AGAIN':
      return `cannot listen on ${host}: the name server does not answer; set ${key} to an address, which needs no name server`;
    case undefined:
    default:
      return `cannot listen on ${host} port ${port}: ${cause instanceof Error ? cause.message : String(cause)}`;
  }
}
