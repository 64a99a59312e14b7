import assert from 'node:assert/strict';
import { type ChildProcess, type StdioOptions, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync, rmSync, statSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkWith, latencyMs, outcomeOf } from '../support/clients/checks.js';
import { assertEndsAsAsked } from '../support/attacks/ends.js';
import { ask } from '../support/clients/http-get.js';
import { freePort } from '../support/processes/ports.js';
import { residentMB } from '../support/measuring/proc.js';
import { mainFile } from '../support/processes/main-file.js';
import { type Upstream, startUpstream } from '../support/upstreams/upstream.js';
import { eventually, within } from '../support/time/wait.js';
import { type Workspace, createWorkspace } from '../support/processes/workspace.js';

/** A long line a request, so that the pipe and the buffer behind it are soon full. */
const LONG = 'x'.repeat(3000);

/** Some 9 MB of log, of which a pipe and the buffer hold a little more than 1. */
const CHECKS = 3000;

/** Far more in as many checks than {@link MEMORY_NOISE_MB}, which without the buffer's bound would all be kept. */
const VERY_LONG = 'x'.repeat(30_000);

/** A check waits no longer than this, on a machine that is busy with other tests, too. */
const PATIENCE_MS = 5000;

/** What the buffer of 1 MiB may take in memory, as strings and garbage, and what the heap moves by itself. */
const MEMORY_NOISE_MB = 40;

/** Mounting takes root, and a namespace of its own. */
const noMounts =
  spawnSync('unshare', ['-m', 'true']).status !== 0 && 'no mount namespaces here (run as root, with CAP_SYS_ADMIN)';

describe('a log reader that stops', () => {
  let workspace: Workspace;
  let upstream: Upstream;
  let child: ChildProcess;
  let port: number;
  /** The memory of a service whose reader reads, after the same checks. */
  let readMB: number;
  before(async () => {
    upstream = await startUpstream();
    await start('pipe');
    child.stdout?.resume();
    await checkOften();
    readMB = residentMB(child.pid ?? 0);
    await end();
  });
  after(() => upstream.close());
  afterEach(end);

  async function end(): Promise<void> {
    child.kill('SIGKILL');
    await workspace.close();
  }

  /** @param under a shell's script, which gets the service's command line as its arguments */
  async function start(
    stdout: 'pipe' | 'ignore' | number,
    { under = 'exec "$@"', flag = '--debug', line = LONG } = {},
  ): Promise<void> {
    workspace = await createWorkspace();
    port = await freePort();
    const config = {
      frontend: { host: '127.0.0.1', port, logformat: `check ${line} %U.` },
      backend: { host: '127.0.0.1', port: upstream.port },
      cache: { ttl: 1, interval: 0.1 },
    };
    const file = await workspace.write('config.yml', JSON.stringify(config));
    const stdio: StdioOptions = ['ignore', stdout, 'inherit'];
    const command = [process.execPath, mainFile, '--config', file, flag];
    child = spawn('sh', ['-c', under, 'sh', ...command], { stdio, cwd: workspace.dir });
    await eventually('/primary is 200', 5000, async () => (await ask(port, '/primary')).status === 200);
  }

  const readNamedPipe = (): ChildProcess =>
    spawn('cat', [workspace.path('log')], { stdio: ['ignore', 'pipe', 'inherit'] });

  /** A pipe with a reader that can be replaced: what Node makes of `'pipe'` are sockets. Resolves with its first reader. */
  async function startIntoNamedPipe(): Promise<ChildProcess> {
    const started = start('ignore', { under: 'mkfifo log && exec "$@" > log' });
    await eventually('there is the pipe', 5000, () => statSync(workspace.path('log')).isFIFO());
    const reader = readNamedPipe();
    await started;
    return reader;
  }

  /** More log than pipe and buffer hold, in checks that must all be answered, and soon. */
  async function checkOften(): Promise<void> {
    const samples = await checkWith({ kind: 'flood', port, routes: ['/primary'], checks: CHECKS, concurrency: 20 });
    assert.deepEqual(new Set(samples.map(outcomeOf)), new Set([200]));
    const longestMs = Math.max(...samples.map(latencyMs));
    assert.ok(longestMs < PATIENCE_MS, `a check took ${longestMs} ms`);
  }

  function assertMemoryIsBounded(): void {
    const nowMB = residentMB(child.pid ?? 0);
    assert.ok(nowMB < readMB + MEMORY_NOISE_MB, `${nowMB} MB, and with a reader that reads ${readMB} MB`);
  }

  /** Reads on from where the reader stopped. */
  function collect(stream: Readable | null): () => string {
    let text = '';
    stream?.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    return () => text;
  }

  it('delays no reply: lines are dropped, counted, and the count is told where they are missing', async () => {
    await start('pipe', { flag: '--verbose' });
    await checkOften();
    assertMemoryIsBounded();
    const text = collect(child.stdout);
    await eventually('the count is logged', 5000, () => countIn(text()) > 0);
    assert.equal((await ask(port, '/replica')).status, 200);
    await eventually('the log goes on', 5000, () => text().includes(' /replica.\n'));
    assertWhole(text());
    const checks = text().match(/: check /g)?.length ?? 0;
    // Those of the start are besides: they may have been one or several.
    assert.ok(checks + countIn(text()) > CHECKS, `${checks} lines of checks and ${countIn(text())} dropped`);
    assert.ok(checks + countIn(text()) < CHECKS + 110, `${checks} lines of checks and ${countIn(text())} dropped`);
    const afterCount = text().slice(text().lastIndexOf('log lines, because nobody read the log'));
    assert.equal(afterCount.match(/: check /g)?.length, 1, 'the count comes after what was kept, before what is new');
  });

  it('delays no end, and what it finds then are whole lines', async () => {
    const reader = await startIntoNamedPipe();
    const text = collect(reader.stdout);
    reader.kill('SIGSTOP');
    await checkOften();
    await assertEndsAsAsked(child);
    const closed = once(reader, 'close');
    reader.kill('SIGCONT');
    await within('all is read', 5000, closed);
    assertWhole(text());
  });

  it('may read on too slowly, and is told the count meanwhile', async () => {
    await start('pipe');
    const text = { read: '' };
    const ended = new AbortController();
    const reading = (async () => {
      while (!ended.signal.aborted) {
        text.read += String((child.stdout?.read() as Buffer | null) ?? '');
        await sleep(100);
      }
    })();
    try {
      await eventually(
        'the count is logged while lines are dropped',
        30_000,
        async () => {
          await checkOften();
          return countIn(text.read) > 0;
        },
        0,
      );
      assertMemoryIsBounded();
      assertWhole(text.read.slice(0, text.read.lastIndexOf('\n') + 1));
    } finally {
      ended.abort();
      await reading;
    }
  });

  it('may close its end', async () => {
    await start('pipe', { line: VERY_LONG });
    child.stdout?.destroy();
    await checkOften();
    assertMemoryIsBounded();
    await assertEndsAsAsked(child);
  });

  it('may be a named pipe that is read by another one later', async () => {
    const first = await startIntoNamedPipe();
    first.kill('SIGKILL');
    await once(first, 'close');
    await checkOften();
    assertMemoryIsBounded();
    const second = readNamedPipe();
    const text = collect(second.stdout);
    try {
      await eventually('the count is logged', 10_000, () => countIn(text()) > 0);
      assertWhole(text().slice(0, text().lastIndexOf('\n') + 1));
    } finally {
      second.kill('SIGKILL');
    }
  });

  it('may be a full disk', async () => {
    await start(openSync('/dev/full', 'w'), { line: VERY_LONG });
    await checkOften();
    assertMemoryIsBounded();
    await assertEndsAsAsked(child);
  });

  it('may be a disk that was full and has room again', { skip: noMounts }, async () => {
    const under = [
      'mkdir disk && mount -t tmpfs -o size=8m none disk',
      'head -c 20M /dev/zero > disk/filler 2> /dev/null',
      'exec "$@" > disk/log',
    ];
    await start('ignore', { under: `exec unshare -m sh -c '${under.join('\n')}' sh "$@"` });
    const disk = `/proc/${child.pid ?? 0}/root${workspace.path('disk')}`;
    const text = (): string => readFileSync(`${disk}/log`, 'utf8');
    await checkOften();
    assert.equal(text(), '');
    assertMemoryIsBounded();
    rmSync(`${disk}/filler`);
    await eventually('the count is logged', 10_000, () => countIn(text()) > 0);
    assertWhole(text());
    await assertEndsAsAsked(child);
  });
});

/** How many lines the log says were dropped. */
function countIn(text: string): number {
  const counts = [...text.matchAll(/ warn: patroniglue dropped ([1-9]\d*) log lines, because nobody read the log\n/g)];
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}

/** Every line begins as a line does and ends as one: none is cut, none runs into another. */
function assertWhole(text: string): void {
  assert.ok(text.endsWith('\n'), `ends with ${JSON.stringify(text.slice(-100))}`);
  const line = new RegExp(
    `^[\\d-]+T[\\d:.]+Z (error|warn|info|verbose|debug): (check ${LONG} \\S+\\.|(?!check )(?:(?!Z \\w+: |xx).)+)$`,
  );
  for (const found of text.slice(0, -1).split('\n')) assert.match(found, line);
}
