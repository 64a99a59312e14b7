import { lookup } from 'node:dns/promises';
import type { Server as HttpServer } from 'node:http';
import type { AddressInfo, Server } from 'node:net';
import { authority } from '../network/authority.js';
import { ListenError } from '../errors.js';
import { type Wanted, whyNotListening } from './listen-reasons.js';

/** As many as the kernel lets wait (`net.core.somaxconn`): whoever finds no place tries again a second later. Node's own is 511. */
const BACKLOG = 4096;

/** All addresses of a host, each once. */
export async function resolveAll(host: string): Promise<string[]> {
  const found = await lookup(host, { all: true });
  return [...new Set(found.map(({ address }) => address))];
}

/** Resolves when it listens. */
export function listenAt(server: Server, address: string, port: number): Promise<void> {
  return new Promise((done, failed) => {
    server.once('error', failed);
    server.listen({ port, host: address, backlog: BACKLOG }, () => {
      server.off('error', failed);
      done();
    });
  });
}

/** Stops listening at once; resolves when the last connection is gone. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((done) => {
    server.close(() => {
      done();
    });
    (server as Server & Partial<Pick<HttpServer, 'closeIdleConnections'>>).closeIdleConnections?.();
  });
}

/** The name has an address that this host does not: `::1` of `localhost` where IPv6 is off. */
export function isAddressMissing(cause: unknown): boolean {
  return ['EADDRNOTAVAIL', 'EAFNOSUPPORT'].includes((cause as NodeJS.ErrnoException).code ?? '');
}

/** Somebody has the port. */
export function isTaken(cause: unknown): boolean {
  return (cause as NodeJS.ErrnoException).code === 'EADDRINUSE';
}

/** In words for whoever has written the configuration. */
export function listenError(section: Wanted['section'], place: Omit<Wanted, 'section'>, cause: unknown): ListenError {
  return new ListenError(whyNotListening({ ...place, section }, cause), { cause });
}

export function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/** Where it listens: `127.0.0.1:8009`, `[::1]:8009`. */
export function whereabouts(server: Server): { port: number; name: string } {
  const { address, port } = server.address() as AddressInfo;
  return { port, name: authority(address, port) };
}
