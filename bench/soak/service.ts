import { fileURLToPath, pathToFileURL } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Child, startChild } from '../../test/support/processes/child.js';
import { SERVICE_CORE } from '../../test/support/measuring/cores.js';
import { freePort } from '../../test/support/processes/ports.js';
import { openFiles, residentMB } from '../../test/support/measuring/proc.js';
import { mainFile } from '../../test/support/processes/main-file.js';
import { eventually } from '../../test/support/time/wait.js';
import { createWorkspace } from '../../test/support/processes/workspace.js';
import { BRISK_PACE } from '../support/processes.js';
import type { Held } from './probe.js';

/** How many routes the service may learn. */
export const LEARNED = 8;

/** At rest nothing has become less for so long: every route has been polled meanwhile, and between its polls. */
const AT_REST_MS = 2 * BRISK_PACE.interval * 1000;
const SAMPLE_EVERY_MS = 25;
const AT_REST_WITHIN_MS = 15_000;
const RELOADED_WITHIN_MS = 15_000;

/** What the service holds while it is asked nothing and every poll is answered. */
export interface State extends Held {
  readonly residentMB: number;
  readonly files: number;
}

/** The service as it is shipped, with a line per request and a probe inside. */
export interface SoakService {
  readonly port: number;
  /** Log lines that it says were dropped, so far. */
  linesDropped(): number;
  /** Nobody reads its log from now on. */
  leaveLog(): void;
  readLog(): void;
  /** Has it read another configuration: another ttl, other routes, each time. */
  reload(): Promise<void>;
  /** The least of everything that is held within a while, since polls come and go. */
  stateAtRest(): Promise<State>;
  close(): Promise<void>;
}

/**
 * Starts it, on a core of its own.
 *
 * @param lineBytes how long a request's log line is
 */
export async function startSoakService(upstreamPort: number, lineBytes: number): Promise<SoakService> {
  const workspace = await createWorkspace();
  let child: Child<object, Held> | undefined;
  try {
    const port = await freePort();
    let reloads = 0;
    const configure = (): Promise<string> => {
      const config = {
        frontend: { host: '127.0.0.1', port, logformat: `%s %D %U ${'x'.repeat(lineBytes)}` },
        backend: { host: '127.0.0.1', port: upstreamPort },
        cache: { ...BRISK_PACE, 'slow-ttl': 15 + (reloads % 2), learn: LEARNED },
      };
      return workspace.write('config.yml', JSON.stringify(config));
    };
    child = await startChild(pathToFileURL(mainFile), SERVICE_CORE, {
      args: ['--config', await configure(), '--verbose'],
      nodeFlags: ['--expose-gc', '--import', fileURLToPath(new URL('./probe.js', import.meta.url))],
      stdout: 'pipe',
    });
    const running = child;
    const reader = readerOf(running);
    return {
      port,
      ...reader,
      async reload() {
        reloads += 1;
        await configure();
        running.signal('SIGHUP');
        await eventually('it has been reloaded', RELOADED_WITHIN_MS, () => reader.reloads() === reloads);
      },
      stateAtRest: () => stateAtRest(running),
      close: async () => {
        await running.close();
        await workspace.close();
      },
    };
  } catch (error) {
    await child?.close();
    await workspace.close();
    throw error;
  }
}

type Reader = Pick<SoakService, 'linesDropped' | 'leaveLog' | 'readLog'> & { reloads(): number };

function readerOf({ stdout }: Child<object, Held>): Reader {
  let lines = 0;
  let reloads = 0;
  let rest = '';
  stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    const whole = (rest + chunk).split('\n');
    rest = whole.pop() ?? '';
    for (const line of whole) {
      lines += Number(/ dropped (\d+) log lines/.exec(line)?.[1] ?? 0);
      if (line.includes(' reloaded; ')) reloads += 1;
    }
  });
  return {
    linesDropped: () => lines,
    reloads: () => reloads,
    leaveLog: () => stdout?.pause(),
    readLog: () => stdout?.resume(),
  };
}

async function stateAtRest(child: Child<object, Held>): Promise<State> {
  const sample = async (): Promise<State> => {
    const held = await child.ask({});
    return { ...held, residentMB: residentMB(child.pid), files: openFiles(child.pid) };
  };
  let least = await sample();
  let unchangedMs = 0;
  await eventually(
    'the service is at rest',
    AT_REST_WITHIN_MS,
    async () => {
      await sleep(SAMPLE_EVERY_MS);
      const before = least;
      least = leastOf(least, await sample());
      unchangedMs = counts(before) === counts(least) ? unchangedMs + SAMPLE_EVERY_MS : 0;
      return unchangedMs >= AT_REST_MS;
    },
    0,
  );
  return least;
}

/** Bytes aside, which fall a little with every sample. */
function counts({ files, resources }: State): string {
  return JSON.stringify([files, Object.entries(resources).sort()]);
}

function leastOf(a: State, b: State): State {
  const least = (key: Exclude<keyof State, 'resources'>): number => Math.min(a[key], b[key]);
  return {
    heapBytes: least('heapBytes'),
    externalBytes: least('externalBytes'),
    bufferBytes: least('bufferBytes'),
    residentMB: least('residentMB'),
    files: least('files'),
    resources: Object.fromEntries(
      Object.entries(a.resources)
        .map(([type, count]) => [type, Math.min(count, b.resources[type] ?? 0)] as const)
        .filter(([, count]) => count > 0),
    ),
  };
}
