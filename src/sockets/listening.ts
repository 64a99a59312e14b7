import { lookup } from 'node:dns/promises';
import type { Server as HttpServer } from 'node:http';
import type { AddressInfo, Server } from 'node:net';
import { authority } from '../network/authority.js';
import { ListenError } from '../errors.js';
import { type ListenTarget, whyNotListening } from './listen-error.js';

/**
 * The length of the accept queue: the most that the kernel allows (`net.core.somaxconn`). A client that finds the queue full
 * tries again a second later. Node's default is 511.
 */
const BACKLOG = 4096;

/** All addresses of a host, each once. */
export async function resolveAll(host: string): Promise<string[]> {
  const found = await lookup(host, { all: true });
  return [...new Set(found.map(({ address }) => address))];
}

/** Resolves when the server listens; rejects with Node's error. */
export function startListening(server: Server, address: string, port: number): Promise<void> {
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

/** The address is not on this host. For example, `localhost` has the address `::1`, and IPv6 is off. */
export function isAddressMissing(cause: unknown): boolean {
  return ['EADDRNOTAVAIL', 'EAFNOSUPPORT'].includes((cause as NodeJS.ErrnoException).code ?? '');
}

/** Another program, or another listener of this one, has the port. */
export function isPortTaken(cause: unknown): boolean {
  return (cause as NodeJS.ErrnoException).code === 'EADDRINUSE';
}

/** The error in words for the author of the configuration. */
export function listenError(
  section: ListenTarget['section'],
  target: Omit<ListenTarget, 'section'>,
  cause: unknown,
): ListenError {
  return new ListenError(whyNotListening({ ...target, section }, cause), { cause });
}

/** The port of a listening server, and its address as text: `127.0.0.1:8009`, `[::1]:8009`. */
export function boundAddress(server: Server): { port: number; name: string } {
  const { address, port } = server.address() as AddressInfo;
  return { port, name: authority(address, port) };
}
