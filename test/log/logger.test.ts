import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { Writable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { isJournal } from '../../src/log/journal.js';
import { createLogLines } from '../../src/service/log-lines.js';
import { type Log, type LogFormat, createLog } from '../../src/log/logger.js';
import { canonicalRoute } from '../../src/patroni/routes.js';
import { mainFile } from '../support/processes/main-file.js';
import { within } from '../support/time/wait.js';
import { type Workspace, createWorkspace } from '../support/processes/workspace.js';
import type { Snapshot } from '../../src/patroni/types.js';

/** A log, and what it has written. */
function collect(
  format: LogFormat,
  isJournal = false,
): { log: Log; lines: string[]; objects: () => Record<string, unknown>[] } {
  const lines: string[] = [];
  const stream = new Writable({
    decodeStrings: false,
    write(line: string, _encoding, done) {
      lines.push(line);
      done();
    },
  });
  const log = createLog('debug', format, { stream, isJournal });
  const objects = (): Record<string, unknown>[] => lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  return { log, lines, objects };
}

const route = canonicalRoute('/primary');
assert.ok(route);
const ANSWER = { status: 200, body: Buffer.alloc(0) };
const FRESH: Snapshot = { kind: 'fresh', answer: ANSWER, sentAtMs: 0, freshUntilMs: 4000 };
const FAILURES = { count: 3, sinceMs: 1000, last: { reason: 'timed-out', message: 'no complete answer' } } as const;

describe('a line of JSON', () => {
  for (const message of ['%s', '%d %i', '%c', '100 %% of', '/replica?tag_dc=%d0%9c', '%o %O %j %f', '{} $1 ${x}']) {
    it(`keeps its fields where the message has ${message}`, () => {
      const { log, objects } = collect('json');
      log.write('info', message, { event: 'request', target: message, status: 200 });
      const [object = {}] = objects();
      delete object['timestamp'];
      assert.deepEqual(object, { level: 'info', message, event: 'request', target: message, status: 200 });
    });
  }

  it('has no control character, whatever a client sent, and is still JSON', () => {
    const { log, lines, objects } = collect('json');
    const target = '/\u0000\u001b[2J\u007f\u009b31m\u2028';
    log.write('info', target, { event: 'request', target });
    assert.doesNotMatch((lines[0] ?? '').trimEnd(), /[\p{Cc}\u2028\u2029]/u);
    assert.deepEqual([objects()[0]?.['message'], objects()[0]?.['target']], [target, target]);
  });

  it('is not even read where the level leaves it out', () => {
    const stream = new Writable({ write: () => assert.fail('a line was written') });
    let reads = 0;
    const fields = {
      event: 'poll',
      get route() {
        reads += 1;
        return '/primary';
      },
    };
    createLog('info', 'json', { stream }).write('debug', 'answered', fields);
    assert.equal(reads, 0);
  });

  it('keeps its level and its message whatever the fields are called', () => {
    const { log, objects } = collect('json');
    log.write('warn', 'what is told', { event: 'request', level: 'error', message: 'other', stack: 'a stack' });
    assert.deepEqual([objects()[0]?.['level'], objects()[0]?.['message']], ['warn', 'what is told']);
  });

  it('says of a changed reply what it was, what it is, and why', () => {
    const { log, objects } = collect('json');
    const { change } = createLogLines(log);
    const stale: Snapshot = { kind: 'stale', answer: ANSWER, sentAtMs: 0, sinceMs: 4000 };
    const lease = { lastSeenAtMs: 0, endsAtMs: 4000 };
    for (const [from, to] of [
      [{ kind: 'pending', sinceMs: 0 }, FRESH],
      [FRESH, { ...FRESH, answer: { ...ANSWER, status: 503 } }],
      [FRESH, { ...stale, failures: FAILURES }],
      [FRESH, { ...stale, lease }],
      [FRESH, stale],
      [stale, { kind: 'pending', sinceMs: 5000 }],
    ] as const satisfies [Snapshot, Snapshot][]) {
      change({ kind: 'reply-changed', route, from, to, atMs: 5000 });
    }
    assert.deepEqual(
      objects().map(({ event, from, to, reason }) => [event, from, to, reason]),
      [
        ['reply-changed', 'pending', '200', 'answered'],
        ['reply-changed', '200', '503', 'answered'],
        ['reply-changed', '200', 'stale', 'timed-out'],
        ['reply-changed', '200', 'stale', 'lease-guard'],
        ['reply-changed', '200', 'stale', 'no-answer'],
        ['reply-changed', 'stale', 'pending', 'no-answer'],
      ],
    );
  });

  it('says of polls why they fail, and for how long they did', () => {
    const { log, objects } = collect('json');
    const { change } = createLogLines(log);
    change({ kind: 'polls-failing', route, failures: FAILURES });
    change({ kind: 'polls-recovered', route, failures: FAILURES, lastedMs: 2345.678901 });
    assert.equal(objects()[0]?.['reason'], 'timed-out');
    assert.deepEqual([objects()[1]?.['failed'], objects()[1]?.['lastedMs']], [3, 2346]);
  });

  it('has figures that are rounded to what they mean', () => {
    const { log, objects } = collect('json');
    const outcome = { kind: 'answered', answer: ANSWER, sentAtMs: 0.123456, endedAtMs: 3.456789 } as const;
    createLogLines(log).outcome({ route, outcome });
    assert.equal(objects()[0]?.['tookMs'], 3.3);
  });
});

describe('a line for systemd', () => {
  it('begins with its priority, and has no time of its own', () => {
    const { log, lines } = collect('text', true);
    for (const level of ['error', 'warn', 'info', 'verbose', 'debug'] as const)
      log.write(level, 'told', { event: 'e' });
    assert.deepEqual(lines, [
      '<3>error: told\n',
      '<4>warn: told\n',
      '<6>info: told\n',
      '<7>verbose: told\n',
      '<7>debug: told\n',
    ]);
  });

  it('is an object after its priority where JSON is asked for', () => {
    const { log, lines } = collect('text', true);
    log.use('json');
    log.write('warn', 'told %s', { event: 'e' });
    const [line = ''] = lines;
    assert.equal(line.slice(0, 3), '<4>');
    const { timestamp, ...rest } = JSON.parse(line.slice(3)) as Record<string, unknown>;
    assert.deepEqual(rest, { level: 'warn', message: 'told %s', event: 'e' });
    assert.match(String(timestamp), /^\d{4}-/);
  });
});

describe('$JOURNAL_STREAM', () => {
  let workspace: Workspace;
  before(async () => {
    workspace = await createWorkspace();
  });
  after(() => workspace.close());

  const streamOf = (fd: number): string => {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    return `${dev}:${ino}`;
  };

  it('counts where it names the stream itself, and not where it was inherited from another service', async () => {
    const fd = openSync(await workspace.write('stream', ''), 'a');
    assert.ok(isJournal(fd, streamOf(fd)));
    assert.ok(!isJournal(fd, `${streamOf(fd)}1`));
    assert.ok(!isJournal(fd, undefined));
    closeSync(fd);
    assert.ok(!isJournal(fd, '8:1'));
  });

  /** What a service writes that finds its port taken, to standard output and standard error in one. */
  async function written(journalStream: (fd: number) => string): Promise<readonly string[]> {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const config = await workspace.write(
      'config.yml',
      JSON.stringify({ frontend: { host: '127.0.0.1', port }, backend: { insecure: true } }),
    );
    const file = await workspace.write('stream', '');
    const fd = openSync(file, 'a');
    const env = { PATH: process.env['PATH'], JOURNAL_STREAM: journalStream(fd) };
    const child = spawn(process.execPath, [mainFile, '--config', config], { stdio: ['ignore', fd, fd], env });
    await within('it ends', 20_000, once(child, 'exit'));
    closeSync(fd);
    taken.close();
    return readFileSync(file, 'utf8').trimEnd().split('\n');
  }

  it('is followed on standard output and on standard error', async () => {
    const lines = await written(streamOf);
    assert.ok(lines.some((line) => line.startsWith('<4>warn: ')));
    assert.ok(lines.some((line) => line.startsWith('<3>cannot listen on 127.0.0.1 port ')));
    assert.deepEqual(
      lines.filter((line) => !/^<[346]>\D/.test(line)),
      [],
    );
  });

  it('changes nothing where they lead elsewhere', async () => {
    const lines = await written((fd) => `${streamOf(fd)}1`);
    assert.deepEqual(
      lines.filter((line) => !/^(\d{4}-\d\d-\d\dT|cannot listen)/.test(line)),
      [],
    );
  });
});
