import { createServer } from 'node:net';
import { nowMs } from '../time/monotonic.js';

// Loaded into the service by Node's --import: see test/support/processes/blocker.ts.
const never = new Int32Array(new SharedArrayBuffer(4));
const server = createServer((socket) => {
  socket.unref();
  socket.on('error', () => undefined);
  socket.on('data', (forMs: Buffer) => {
    const fromMs = nowMs();
    Atomics.wait(never, 0, 0, Number(forMs.toString()));
    socket.write(`${fromMs} ${nowMs()}\n`);
  });
});
server.listen(Number(process.env['BLOCKER_PORT']), '127.0.0.1').unref();
