import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { within } from '../time/wait.js';

/**
 * SIGTERM ends it, soon: with 0, or by the signal itself where something else holds up `process.exit` (see `leave` in
 * src/main.ts). On a machine without a moment to spare that may be a write which no thread has come to yet.
 */
export async function assertEndsAsAsked(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const [code, signal] = (await within('it ends after SIGTERM', 2000, ended)) as [number | null, string | null];
  assert.ok(code === 0 || signal === 'SIGTERM', `code ${String(code)}, signal ${String(signal)}`);
}
