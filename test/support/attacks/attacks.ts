import { readFileSync } from 'node:fs';
import { type Child, startChild } from '../processes/child.js';

/** Clients that do one and the same thing to a loopback port, and then hold on to their connections. */
export interface Attack {
  /** A loopback address of their own, by which {@link heldConnections} tells them from others. */
  readonly from: string;
  readonly sockets: number;
  /** How many at a time; the next begins when one has ended. Unless told: 500 a second, whatever becomes of them. */
  readonly atATime?: number;
  /** A TLS handshake comes first. */
  readonly tls?: boolean;
  /** Latin-1, sent as soon as the connection is there. */
  readonly bytes?: string;
  /** How often `bytes` is sent, in one write. */
  readonly times?: number;
  /** Sent again and again, a character every half second. */
  readonly drip?: string;
  /** What is done with replies: read unless told, never, or a little every half second. */
  readonly reading?: 'never' | 'in sips';
  /** What comes after `bytes`, if anything: a reset, or the end of this side alone. */
  readonly then?: 'reset' | 'end';
}

/** What came of an attack so far. */
export interface AttackReport {
  /** Connections that were made. */
  readonly made: number;
  /** Those that are over, whoever ended them. A client that never reads does not notice. */
  readonly ended: number;
  /** Replies by status. */
  readonly replies: Readonly<Record<string, number>>;
}

export type AttackOrder =
  { readonly kind: 'begin'; readonly port: number; readonly attacks: readonly Attack[] } | { readonly kind: 'report' };

/** Attacks under way. */
export interface Attackers {
  /** In the order of the attacks. */
  report(): Promise<readonly AttackReport[]>;
  /** The process is killed: what is still open is cut. */
  close(): Promise<void>;
}

/**
 * Attacks a loopback port from a process of its own, in one way after another. Resolves when every connection has been made,
 * or refused, and has sent its bytes; with `atATime`, when all are over.
 */
export async function startAttacks(port: number, attacks: readonly Attack[]): Promise<Attackers> {
  const script = new URL('./attack-process.js', import.meta.url);
  const child: Child<AttackOrder, readonly AttackReport[]> = await startChild(script);
  try {
    await child.ask({ kind: 'begin', port, attacks }, 60_000);
  } catch (error) {
    await child.close();
    throw error;
  }
  return { report: () => child.ask({ kind: 'report' }), close: () => child.close() };
}

/** TCP's states in which a server has not closed its side: established, and half-closed by the client. */
const HELD = ['01', '08'];

/** How many connections from this loopback address the server at `port` holds. Linux only: reads /proc. */
export function heldConnections(port: number, from: string): number {
  const address = Buffer.from(from.split('.').map(Number)).readUInt32LE(0).toString(16).toUpperCase().padStart(8, '0');
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(
      ([, at, peer, state]) => at?.endsWith(local) && peer?.startsWith(`${address}:`) && HELD.includes(state ?? ''),
    ).length;
}
