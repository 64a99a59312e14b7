import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { within } from '../time/wait.js';

/**
 * SIGTERM ends the process soon: with 0, or by the signal itself if a busy thread holds up `process.exit` (see
 * src/exit-process.ts). On a busy machine this may be a write that no thread has begun yet.
 */
export async function assertEndsAsAsked(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const [code, signal] = (await within('it ends after SIGTERM', 2000, ended)) as [number | null, string | null];
  assert.ok(code === 0 || signal === 'SIGTERM', `code ${String(code)}, signal ${String(signal)}`);
}
