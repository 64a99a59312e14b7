import { hostname, networkInterfaces } from 'node:os';

/** The name and the addresses of this host. */
export function thisHost(): { readonly hostname: string; readonly addresses: readonly string[] } {
  const addresses = Object.values(networkInterfaces()).flatMap((all = []) => all.map(({ address }) => address));
  return { hostname: hostname(), addresses };
}
