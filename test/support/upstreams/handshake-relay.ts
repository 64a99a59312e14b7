import { connect } from 'node:net';
import type { Behaviour } from './upstream.js';

/** Where the upstream's side of a TLS connection ends: inside its flight of that number, after that share of its bytes. */
export interface FlightCut {
  /** 0 is the ServerHello and what comes with it; the next begins after the client has spoken again. */
  readonly flight: number;
  /** 0 for none of its bytes, 0.5 for half of them. */
  readonly share: number;
  readonly then: 'silence' | 'reset';
}

/** Passes connections on to a TLS upstream, and can cut off what comes back. */
export interface HandshakeRelay {
  /** For `onConnection` of a scripted upstream. */
  readonly behaviour: Behaviour;
  /** From the next connection on; `undefined` passes everything. */
  cut(where: FlightCut | undefined): void;
}

/** A relay to a loopback port. How long the flights are it learns from the connections that it passes whole. */
export function createHandshakeRelay(port: number): HandshakeRelay {
  let lengths: readonly number[] = [];
  let current: FlightCut | undefined;
  return {
    cut(where) {
      current = where;
    },
    behaviour(client) {
      const cut = current;
      const flights: number[] = [];
      let clientSpokeLast = true;
      const server = connect(port, '127.0.0.1');
      server.on('error', () => undefined);
      client.on('data', (chunk: Buffer) => {
        clientSpokeLast = true;
        server.write(chunk);
      });
      server.on('data', (chunk: Buffer) => {
        if (clientSpokeLast) flights.push(0);
        clientSpokeLast = false;
        const flight = flights.length - 1;
        const before = flights[flight] ?? 0;
        flights[flight] = before + chunk.length;
        const room = cut === undefined ? Infinity : roomIn(flight, cut, lengths) - before;
        if (room > 0) client.write(chunk.subarray(0, room));
        if (room < chunk.length && cut?.then === 'reset') client.resetAndDestroy();
      });
      server.on('end', () => {
        if (cut === undefined) {
          lengths = flights;
          client.end();
        }
      });
      client.once('close', () => server.destroy());
    },
  };
}

/** How many bytes of a flight are passed on. */
function roomIn(flight: number, cut: FlightCut, lengths: readonly number[]): number {
  if (flight < cut.flight) return Infinity;
  return flight === cut.flight ? Math.floor(cut.share * (lengths[flight] ?? 0)) : 0;
}
