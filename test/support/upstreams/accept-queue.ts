import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type Socket, connect } from 'node:net';

/** A listener whose kernel answers no SYN, as that of a Patroni that was frozen under load. */
export interface FullListener {
  readonly port: number;
  close(): void;
}

/** Listens with a short queue, at the port that it is told, and then never accepts. */
const LISTEN_AND_HANG = `
  const port = Number(process.argv[1]);
  const server = require('node:net').createServer().listen({ host: '127.0.0.1', port, backlog: 1 }, () => {
    require('node:fs').writeSync(1, server.address().port + '\\n');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });
`;

/** Starts a listener in a process of its own, which hangs, and connects until its accept queue is full; at any port, unless told. */
export async function fillAcceptQueue(wantedPort = 0): Promise<FullListener> {
  const args = ['-e', LISTEN_AND_HANG, String(wantedPort)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const port = Number(line.toString());
  const sockets: Socket[] = [];
  let connected = true;
  while (connected) {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    sockets.push(socket);
    const signal = AbortSignal.timeout(300);
    connected = await once(socket, 'connect', { signal }).then(
      () => true,
      () => false,
    );
  }
  return {
    port,
    close() {
      for (const socket of sockets) socket.destroy();
      child.kill('SIGKILL');
    },
  };
}
