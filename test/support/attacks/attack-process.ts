import { setTimeout as sleep } from 'node:timers/promises';
import { type Socket, connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Attack, AttackOrder, AttackReport } from './attacks.js';
import { serveOrders } from '../processes/child.js';

const EVERY_MS = 500;

/** Unless they take turns: faster, and the good checks would have to wait behind thousands that the kernel took in at once. */
const BATCH = { sockets: 25, everyMs: 50 };

interface Progress {
  made: number;
  ended: number;
  readonly replies: Record<string, number>;
}

const progress: Progress[] = [];

serveOrders<readonly AttackReport[]>(async (order: AttackOrder) => {
  if (order.kind === 'begin') {
    for (const attack of order.attacks) {
      const own: Progress = { made: 0, ended: 0, replies: {} };
      progress.push(own);
      await begin(order.port, attack, own);
    }
  }
  return progress;
});

async function begin(port: number, attack: Attack, own: Progress): Promise<void> {
  const { sockets, atATime } = attack;
  let left = sockets;
  if (atATime === undefined) {
    const areUp: Promise<void>[] = [];
    for (; left > 0; left -= 1) {
      areUp.push(attackOnce(port, attack, own).isUp);
      if (left % BATCH.sockets === 0) await sleep(BATCH.everyMs);
    }
    await Promise.all(areUp);
    return;
  }
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await attackOnce(port, attack, own).isOver;
    }
  };
  await Promise.all(Array.from({ length: atATime }, worker));
}

function attackOnce(port: number, attack: Attack, own: Progress): { isUp: Promise<void>; isOver: Promise<void> } {
  const { from, tls, bytes = '', times = 1, drip, reading, then } = attack;
  const tcp = connect({ port, host: '127.0.0.1', localAddress: from, allowHalfOpen: true });
  const socket = tls ? connectTls({ socket: tcp, rejectUnauthorized: false }) : tcp;
  for (const each of [tcp, socket]) each.on('error', () => undefined); // refused, or reset: that is counted as an end
  const isOver = new Promise<void>((resolve) => {
    socket.once('close', () => {
      own.ended += 1;
      resolve();
    });
  });
  const isUp = new Promise<void>((resolve) => {
    socket.once('close', resolve);
    socket.once(tls ? 'secureConnect' : 'connect', () => {
      own.made += 1;
      const sent = (): void => {
        if (then === 'reset') tcp.resetAndDestroy();
        if (then === 'end') socket.end();
        resolve();
      };
      if (reading === 'never') setTimeout(sent, EVERY_MS); // it may never be taken in
      socket.write(Buffer.from(bytes.repeat(times), 'latin1'), sent);
    });
  });
  if (reading === undefined) readAll(socket, own);
  if (drip !== undefined || reading === 'in sips') {
    let dripped = 0;
    const timer = setInterval(() => {
      if (reading === 'in sips') socket.read();
      if (drip === undefined) return;
      socket.write(drip.charAt(dripped % drip.length), 'latin1');
      dripped += 1;
    }, EVERY_MS);
    socket.once('close', () => {
      clearInterval(timer);
    });
  }
  return { isUp, isOver };
}

function readAll(socket: Socket, { replies }: Progress): void {
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk;
    text = text.replace(/HTTP\/1\.1 (\d{3}) /g, (_, status: string) => {
      replies[status] = (replies[status] ?? 0) + 1;
      return '';
    });
    text = text.slice(-'HTTP/1.1 200'.length);
  });
  socket.once('end', () => socket.end());
}
