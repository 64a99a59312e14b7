import type { Server, Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import { readProxyHeader } from './proxy-header.js';

/** How connections are let in that begin with a PROXY header. */
export interface ProxyGateOptions {
  /** Whether a connection that comes now must begin with one. */
  readonly isExpected: () => boolean;
  /** Told of a connection that was ended since it does not begin with one, and why not. */
  readonly onRefused: (address: string, why: string) => void;
  /** Told of one that was ended since it begins with one, which nobody expects. Without TLS: else nobody has read it. */
  readonly onUnexpected: (address: string) => void;
}

/** Takes the PROXY headers off the connections of servers. */
export interface ProxyGate {
  /**
   * Puts itself before those who listen for connections to `server` by now: they get a connection when its header is read, and read
   * what follows it, a TLS handshake or a request. To be called when the server is made.
   */
  readonly guard: (server: Server) => void;
  /** The client that the header of an open connection names; `undefined` where the connection speaks for itself. */
  readonly clientOf: (socket: Socket) => string | undefined;
}

/** From a connection's start to the end of its header. */
const HEADER_WITHIN_MS = 5000;

/** What somebody reads who asks by plain HTTP and without a header, at 3 a.m. */
const REFUSAL = [
  'HTTP/1.1 400 Bad Request',
  'Content-Type: text/plain; charset=utf-8',
  'Cache-Control: no-store',
  'Connection: close',
  '',
  'a PROXY protocol header is expected (frontend.proxy-protocol): use curl --haproxy-protocol ..., or check-send-proxy in HAProxy\n',
].join('\r\n');

/** Lets nobody in without a header while one is expected, and everybody else at once. */
export function createProxyGate({ isExpected, onRefused, onUnexpected }: ProxyGateOptions): ProxyGate {
  const clients = new Map<string, { readonly socket: Socket; readonly client: string }>();
  const note = (socket: Socket, client: string): void => {
    const end = endOf(socket);
    clients.set(end, { socket, client });
    socket.once('close', () => {
      if (clients.get(end)?.socket === socket) clients.delete(end); // and not the next one's from there
    });
  };
  /** Node's reader ends a connection that does not speak HTTP with an error that has what was read. */
  function tellUnexpected(this: Socket, { rawPacket }: Error & { readonly rawPacket?: Buffer }): void {
    if (rawPacket && readProxyHeader(rawPacket).kind === 'complete') onUnexpected(this.remoteAddress ?? '-');
  }
  return {
    clientOf: (socket) => (clients.size === 0 ? undefined : clients.get(endOf(socket))?.client),
    guard(server) {
      const listeners = server.listeners('connection');
      const isTls = server instanceof TlsServer;
      const letIn = (socket: Socket): void => {
        for (const listener of listeners) Reflect.apply(listener, server, [socket]);
      };
      server.removeAllListeners('connection');
      server.on('connection', (socket: Socket) => {
        if (!isExpected()) {
          letIn(socket);
          socket.once('error', tellUnexpected);
          return;
        }
        const address = socket.remoteAddress ?? '-'; // after a reset, there is none
        takeHeader(socket, {
          onHeader(client, rest) {
            if (client !== undefined) note(socket, client);
            socket.pause(); // nothing flows until the next reader is there
            if (rest.length > 0) socket.unshift(rest);
            letIn(socket);
            if (!isTls) socket.resume(); // a TLS socket takes what is there by itself
          },
          onMalformed(why, bytes) {
            onRefused(address, why);
            socket.on('error', () => undefined); // it may be reset by now
            if (isTls || !/^[A-Z]+ \//.test(bytes.toString('latin1', 0, 16))) socket.destroy();
            else socket.end(REFUSAL, () => socket.destroy());
          },
        });
      });
    },
  };
}

interface HeaderListeners {
  /** With what was read after it. */
  readonly onHeader: (client: string | undefined, rest: Buffer) => void;
  readonly onMalformed: (why: string, bytes: Buffer) => void;
}

/** Reads to the end of the header, and then leaves the socket as it was. Ends who does not send one in time. */
function takeHeader(socket: Socket, { onHeader, onMalformed }: HeaderListeners): void {
  let heard: Buffer = Buffer.alloc(0);
  const leave = (): void => {
    clearTimeout(timer);
    socket.off('data', onData).off('end', onEnd).off('error', onEnd).off('close', leave);
  };
  const onEnd = (): void => {
    leave();
    socket.destroy();
  };
  const onData = (bytes: Buffer): void => {
    heard = heard.length === 0 ? bytes : Buffer.concat([heard, bytes]);
    const header = readProxyHeader(heard);
    if (header.kind === 'incomplete') return;
    leave();
    if (header.kind === 'malformed') onMalformed(header.why, heard);
    else onHeader(header.client, heard.subarray(header.length));
  };
  const timer = setTimeout(onEnd, HEADER_WITHIN_MS);
  socket.on('data', onData).once('end', onEnd).once('error', onEnd).once('close', leave);
}

/** The same for a connection and for the TLS socket on it; Node keeps both once it has asked. */
function endOf({ remoteAddress = '', remotePort = 0, localAddress = '', localPort = 0 }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
