import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { ask } from '../../test/support/clients/http-get.js';
import { SERVICE_CORE, taskset } from '../../test/support/measuring/cores.js';
import { programs } from '../../test/support/processes/main-file.js';
import { freePort } from '../../test/support/processes/ports.js';
import { createWorkspace } from '../../test/support/processes/workspace.js';
import { nowMs } from '../../test/support/time/monotonic.js';

const GIVEN_UP_MS = 20_000;

const minimalFile = fileURLToPath(new URL('./minimal-process.js', import.meta.url));

/** A program that answers from memory what it has asked an upstream. */
export interface Subject {
  readonly name: string;
  /** Variables of its environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Node's arguments. `file` is a configuration for patroniglue. */
  readonly args: (place: { readonly port: number; readonly upstreamPort: number; readonly file: string }) => string[];
}

/** A subject that has answered. */
export interface RunningSubject {
  readonly pid: number;
  readonly port: number;
  /** From the start of the process to the first fresh answer, in milliseconds. */
  readonly startMs: number;
  close(): Promise<void>;
}

/** The process beside which patroniglue is measured. */
export const minimal: Subject = {
  name: 'a bare node:http process',
  args: ({ port, upstreamPort }) => [minimalFile, String(port), String(upstreamPort)],
};

/** patroniglue as the systemd unit starts it, and as it is compiled. */
export const ours: readonly Subject[] = [
  {
    name: 'patroniglue, installed',
    env: { MALLOC_ARENA_MAX: '1' },
    args: ({ file }) => [programs.bundle, '--config', file],
  },
  { name: 'patroniglue, as modules', args: ({ file }) => [programs.modules, '--config', file] },
];

/** Starts a subject on the service's core, with the default configuration. Resolves with its first fresh answer. */
export async function startSubject({ name, env, args }: Subject, upstreamPort: number): Promise<RunningSubject> {
  const workspace = await createWorkspace();
  try {
    const port = await freePort();
    const config = { frontend: { host: '127.0.0.1', port }, backend: { host: '127.0.0.1', port: upstreamPort } };
    const file = await workspace.write('config.yml', stringify(config));
    const node = [process.execPath, ...args({ port, upstreamPort, file })];
    const [command = '', ...rest] = taskset ? [taskset, '-c', String(SERVICE_CORE), ...node] : node;
    const startedMs = nowMs();
    const running = await workspace.start(name, command, rest, env);
    while ((await ask(port, '/primary', { deadlineMs: 500 })).status !== 200) {
      if (!running.alive() || nowMs() - startedMs > GIVEN_UP_MS)
        throw new Error(`${name}: no 200\n${workspace.logs()}`);
      await sleep(2);
    }
    return { pid: running.pid, port, startMs: nowMs() - startedMs, close: () => workspace.close() };
  } catch (error) {
    await workspace.close();
    throw error;
  }
}
