import { writeSync } from 'node:fs';
import { nowMs } from './monotonic.js';

// Loaded into the service by Node's --import. At SIGUSR2 its event loop stands still for BLOCK_MS; afterwards a line of
// standard error says from when to when: `blocked 1234.5 5678.9`.
const blockMs = Number(process.env['BLOCK_MS']);
const never = new Int32Array(new SharedArrayBuffer(4));

process.on('SIGUSR2', () => {
  const fromMs = nowMs();
  Atomics.wait(never, 0, 0, blockMs);
  writeSync(2, `blocked ${fromMs} ${nowMs()}\n`);
});
