import { once } from 'node:events';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { eventually, within } from '../time/wait.js';

/** A connection on which any bytes can be sent; this side never ends it by itself. */
export interface RawConnection {
  /** Latin-1. */
  send(bytes: string): void;
  /** Resolves when the server has ended the connection. */
  readonly ended: Promise<void>;
  /** All that came so far. */
  text(): string;
  /** Of the replies that came so far. */
  statuses(): readonly number[];
  /** Resolves when so many replies have begun to come. */
  reply(count: number): Promise<unknown>;
  close(): void;
}

/** Connects to a loopback port, with or without TLS. */
export async function openRaw(port: number, tls: boolean): Promise<RawConnection> {
  const tcp = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const socket = tls ? connectTls({ socket: tcp, rejectUnauthorized: false }) : tcp;
  let text = '';
  const ended = new Promise<void>((resolve) => {
    for (const each of [tcp, socket]) each.on('error', () => undefined); // a reset is an end, too
    socket.once('end', resolve).once('close', resolve);
  });
  socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
  await within('connected', 5000, once(socket, tls ? 'secureConnect' : 'connect'));
  const statuses = (): number[] => [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
  return {
    send: (bytes) => socket.write(bytes, 'latin1'),
    ended: ended.then(() => {
      socket.destroy();
    }),
    text: () => text,
    statuses,
    reply: (count) => eventually(`${count} replies`, 5000, () => statuses().length >= count, 5),
    close: () => {
      socket.destroy();
    },
  };
}
