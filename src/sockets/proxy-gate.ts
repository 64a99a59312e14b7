import type { Server, Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import type { AccessGate } from './access-gate.js';
import { parseProxyHeader } from './proxy-header.js';

/** When a PROXY header is expected, and whom to tell of a connection that was refused. */
export interface ProxyGateOptions {
  /** Whether a connection that begins now must begin with a PROXY header. */
  readonly isExpected: () => boolean;
  /** Called when a connection was ended because it does not begin with a valid header. */
  readonly onRefused: (address: string, why: string) => void;
  /** Called when a connection was ended because it begins with an unexpected header. Not with TLS: Node cannot read it then. */
  readonly onUnexpected: (address: string) => void;
}

/** Reads the PROXY headers at the beginning of connections. */
export interface ProxyGate {
  /**
   * Reads the header of each connection to `server`, before the listeners that are there at this moment get the connection.
   * They read on after the header: a TLS handshake or a request. To be called when the server is made.
   */
  readonly readHeadersOf: (server: Server) => void;
  /** The client that the header of an open connection names; `undefined` if there is no header, or it names none. */
  readonly clientOf: (socket: Socket) => string | undefined;
}

/** From a connection's start to the end of its header. */
const HEADER_WITHIN_MS = 5000;

/** The reply to a request by plain HTTP without a header, for an operator with curl. */
const REFUSAL = [
  'HTTP/1.1 400 Bad Request',
  'Content-Type: text/plain; charset=utf-8',
  'Cache-Control: no-store',
  'Connection: close',
  '',
  'a PROXY protocol header is expected (frontend.proxy-protocol): use curl --haproxy-protocol ..., or check-send-proxy in HAProxy\n',
].join('\r\n');

/**
 * While a header is expected, ends each connection without a valid header. Otherwise passes each connection on at once.
 *
 * @param access which clients of a header may ask. If absent, every client may
 */
export function createProxyGate(
  { isExpected, onRefused, onUnexpected }: ProxyGateOptions,
  access?: Pick<AccessGate, 'admits'>,
): ProxyGate {
  const clients = new Map<string, { readonly socket: Socket; readonly client: string }>();
  const rememberClient = (socket: Socket, client: string): void => {
    const key = connectionKey(socket);
    clients.set(key, { socket, client });
    socket.once('close', () => {
      if (clients.get(key)?.socket === socket) clients.delete(key); // a newer connection may have the same key
    });
  };
  /** Node ends a connection that does not speak HTTP with an error. `rawPacket` of the error has the bytes. */
  function reportUnexpected(this: Socket, { rawPacket }: Error & { readonly rawPacket?: Buffer }): void {
    if (rawPacket && parseProxyHeader(rawPacket).kind === 'complete') onUnexpected(this.remoteAddress ?? '-');
  }
  return {
    clientOf: (socket) => (clients.size === 0 ? undefined : clients.get(connectionKey(socket))?.client),
    readHeadersOf(server) {
      const listeners = server.listeners('connection');
      const isTls = server instanceof TlsServer;
      const acceptConnection = (socket: Socket): void => {
        for (const listener of listeners) Reflect.apply(listener, server, [socket]);
      };
      server.removeAllListeners('connection');
      server.on('connection', (socket: Socket) => {
        if (!isExpected()) {
          acceptConnection(socket);
          socket.once('error', reportUnexpected);
          return;
        }
        const address = socket.remoteAddress ?? '-'; // a connection that was reset has no address
        readProxyHeader(socket, {
          onHeader(client, rest) {
            if (client !== undefined && access?.admits(socket, client) === false) return;
            if (client !== undefined) rememberClient(socket, client);
            socket.pause(); // until the next reader is attached
            if (rest.length > 0) socket.unshift(rest);
            acceptConnection(socket);
            if (!isTls) socket.resume(); // a TLS socket reads by itself
          },
          onMalformed(why, bytes) {
            onRefused(address, why);
            socket.on('error', () => undefined); // the client may have reset the connection
            if (isTls || !/^[A-Z]+ \//.test(bytes.toString('latin1', 0, 16))) socket.destroy();
            else socket.end(REFUSAL, () => socket.destroy());
          },
        });
      });
    },
  };
}

interface HeaderListeners {
  /** `rest`: the bytes that were read after the header. */
  readonly onHeader: (client: string | undefined, rest: Buffer) => void;
  readonly onMalformed: (why: string, bytes: Buffer) => void;
}

/** Reads to the end of the header, and then removes its listeners. Ends a connection that does not send a header in time. */
function readProxyHeader(socket: Socket, { onHeader, onMalformed }: HeaderListeners): void {
  let received: Buffer = Buffer.alloc(0);
  const leave = (): void => {
    clearTimeout(timer);
    socket.off('data', onData).off('end', onEnd).off('error', onEnd).off('close', leave);
  };
  const onEnd = (): void => {
    leave();
    socket.destroy();
  };
  const onData = (bytes: Buffer): void => {
    received = received.length === 0 ? bytes : Buffer.concat([received, bytes]);
    const header = parseProxyHeader(received);
    if (header.kind === 'incomplete') return;
    leave();
    if (header.kind === 'malformed') onMalformed(header.why, received);
    else onHeader(header.client, received.subarray(header.length));
  };
  const timer = setTimeout(onEnd, HEADER_WITHIN_MS);
  socket.on('data', onData).once('end', onEnd).once('error', onEnd).once('close', leave);
}

/** The same for a connection and for the TLS socket on top. Node asks the kernel for the addresses once and keeps them. */
function connectionKey({ remoteAddress = '', remotePort = 0, localAddress = '', localPort = 0 }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
