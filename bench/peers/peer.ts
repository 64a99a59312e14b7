import { readFileSync, readdirSync } from 'node:fs';
import type { CertificateFiles } from '../../test/support/certificates.js';
import type { Running } from '../../test/support/processes/processes.js';
import { type Workspace, createWorkspace } from '../../test/support/processes/workspace.js';
import { SERVICE_CORE, taskset } from '../../test/support/measuring/cores.js';

/** Something that can stand where patroniglue does. */
export interface Peer {
  /** As the report calls it. */
  readonly name: string;
  /** Whether it can be asked by HTTPS. */
  readonly speaksTls: boolean;
  /** Starts it on the service's core; rejects where its program is missing. */
  readonly start: (options: PeerOptions) => Promise<RunningPeer>;
}

export interface PeerOptions {
  /** Of the upstream, on 127.0.0.1. */
  readonly upstreamPort: number;
  /** HTTPS with these, where it can. */
  readonly tls?: CertificateFiles | undefined;
}

/** A peer that listens. */
export interface RunningPeer {
  readonly name: string;
  readonly port: number;
  /** The memory of all its processes, in MB (10^6 bytes); what they share is counted once. */
  memoryMB(): number;
  close(): Promise<void>;
}

/** Starts a program for a peer, in a workspace of its own and on the service's core. */
export async function startPeer(
  name: string,
  port: number,
  prepare: (workspace: Workspace) => Promise<readonly [command: string, ...args: string[]]>,
): Promise<RunningPeer> {
  const workspace = await createWorkspace();
  try {
    const [command, ...args] = await prepare(workspace);
    const running: Running = taskset
      ? await workspace.start(name, taskset, ['-c', String(SERVICE_CORE), command, ...args])
      : await workspace.start(name, command, args);
    running.exit.then(
      ({ code }) => {
        if (code !== null && code !== 0) process.stderr.write(`${name} ended:\n${workspace.logs()}\n`);
      },
      () => undefined,
    );
    return {
      name,
      port,
      memoryMB: () => processesOf(running.pid).reduce((sum, pid) => sum + proportionalMB(pid), 0),
      close: () => workspace.close(),
    };
  } catch (error) {
    await workspace.close();
    throw error;
  }
}

/** A process and its children, which are of its group. */
function processesOf(group: number): readonly number[] {
  const pids = readdirSync('/proc').map(Number);
  return pids.filter((pid) => pid > 0 && groupOf(pid) === group);
}

function groupOf(pid: number): number {
  try {
    return Number(/\) \S \d+ (\d+) /.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]);
  } catch {
    return NaN; // it has ended
  }
}

/** A process's share of memory: what is shared with others counts in proportion. */
function proportionalMB(pid: number): number {
  try {
    const kib = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1];
    return (Number(kib ?? 0) * 1024) / 1e6;
  } catch {
    return 0; // it has ended
  }
}
