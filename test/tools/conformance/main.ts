#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Endpoint } from './ask.js';
import { compare, identify } from './compare.js';
import { countLine, table } from './table.js';
import { watch, type Watched } from './watch.js';

const USAGE = `usage: npm run conformance -- [options] <base URL of Patroni> <base URL of its patroniglue>

Asks both every question that Patroni's REST API can be asked, by GET, HEAD and OPTIONS, HTTP/1.0 and 1.1, and prints a
table of what they answered. Nothing is changed: no other methods are used.

  npm run conformance -- http://10.0.0.11:8008 http://10.0.0.11:8009

  --patience SECONDS   a difference counts when it is still there after so long (20)
  --concurrency N      requests at a time to each of the two, 1 to 16 (1)
  --watch SECONDS      instead ask for the roles only, again and again, during a switchover of yours: the two may differ
                       for no longer than one interval
  --interval SECONDS   patroniglue's cache.interval, for --watch (1)
  --json               all of it as JSON
  --cafile FILE        https: trust this CA as well
  --certfile FILE, --keyfile FILE
                       https: client certificate, for Patroni's verify_client: required
  --insecure           https: do not check certificates
  --help

patroniglue has to learn about a hundred routes for this: set its cache.learn to 1000. It goes on polling Patroni for them
for fifteen minutes, so best ask a patroniglue that was started for this, and stop it afterwards.

Exit codes: 0 no difference but those that patroniglue's design allows, 1 differences, 2 it could not be found out.
`;

/** The routes that tell roles, one a role. */
const ROLES = [
  '/primary',
  '/replica',
  '/leader',
  '/standby-leader',
  '/read-only',
  '/sync',
  '/async',
  '/quorum',
  '/health',
];

/** For --watch: gentle on a system of somebody's own, and over `interval` as much as a busy machine may need. */
const WATCH_EVERY_MS = 100;
const WATCH_SLACK_MS = 500;

class UsageError extends Error {}

interface Arguments {
  readonly patroni: Endpoint;
  readonly patroniglue: Endpoint;
  readonly patienceMs: number;
  readonly concurrency: number;
  readonly watchMs: number | undefined;
  readonly intervalMs: number;
  readonly json: boolean;
}

function readArguments(args: readonly string[]): Arguments | 'help' {
  const { values, positionals } = parse(args);
  if (values.help) return 'help';
  const [patroni, patroniglue, ...more] = positionals;
  if (patroni === undefined || patroniglue === undefined || more.length > 0) {
    throw new UsageError(`two base URLs are needed, Patroni's and patroniglue's: got ${positionals.length}`);
  }
  const tls = {
    ...(values.cafile !== undefined && { ca: read('--cafile', values.cafile) }),
    ...(values.certfile !== undefined && { cert: read('--certfile', values.certfile) }),
    ...(values.keyfile !== undefined && { key: read('--keyfile', values.keyfile) }),
    ...(values.insecure && { rejectUnauthorized: false }),
  };
  return {
    patroni: endpoint(patroni, tls),
    patroniglue: endpoint(patroniglue, tls),
    patienceMs: milliseconds('--patience', values.patience),
    concurrency: count('--concurrency', values.concurrency, 16),
    watchMs: values.watch === undefined ? undefined : milliseconds('--watch', values.watch),
    intervalMs: milliseconds('--interval', values.interval),
    json: values.json,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        patience: { type: 'string', default: '20' },
        concurrency: { type: 'string', default: '1' },
        watch: { type: 'string' },
        interval: { type: 'string', default: '1' },
        json: { type: 'boolean', default: false },
        cafile: { type: 'string' },
        certfile: { type: 'string' },
        keyfile: { type: 'string' },
        insecure: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (cause) {
    throw new UsageError((cause as Error).message, { cause });
  }
}

function endpoint(text: string, tls: Endpoint['tls']): Endpoint {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw new UsageError(`not a base URL: '${text}' (such as http://localhost:8008)`);
  }
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '' || url.username !== '') {
    throw new UsageError(`a base URL has scheme, host and port only: '${text}'`);
  }
  const secure = url.protocol === 'https:';
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(url.port || (secure ? 443 : 80)),
    ...(secure && { tls }),
  };
}

function milliseconds(option: string, text: string): number {
  const seconds = Number(text);
  if (text.trim() === '' || !(seconds >= 0 && seconds <= 86_400)) {
    throw new UsageError(`${option} is a number of seconds from 0 to 86400: got '${text}'`);
  }
  return seconds * 1000;
}

function count(option: string, text: string, most: number): number {
  if (/^[1-9][0-9]*$/.test(text) && Number(text) <= most) return Number(text);
  throw new UsageError(`${option} is a whole number from 1 to ${most}: got '${text}'`);
}

function read(option: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new UsageError(`${option}: ${(cause as Error).message}`, { cause });
  }
}

async function compareAndPrint({ json, ...options }: Arguments): Promise<boolean> {
  const progress = createProgress();
  const comparison = await compare({ ...options, onProgress: progress.show });
  progress.clear();
  if (json) {
    const rows = comparison.rows.map(({ request, patroni, patroniglue, verdict }) => ({
      ...request,
      patroni: printable(patroni),
      patroniglue: printable(patroniglue),
      verdict,
    }));
    print(JSON.stringify({ ...comparison, rows, differences: comparison.differences.length }, undefined, 2));
  } else {
    print(`${table(comparison)}\n\n${countLine(comparison)}`);
    if (comparison.notLearned) {
      print("patroniglue's cache.learn is too small for this comparison: set it to 1000 and start it anew");
    }
  }
  return comparison.differences.length === 0;
}

function printable(reply: Awaited<ReturnType<typeof compare>>['rows'][number]['patroni']): object {
  return reply.kind === 'reply' ? { ...reply, body: reply.body.toString() } : reply;
}

async function watchAndPrint({ json, intervalMs, ...options }: Arguments, watchMs: number): Promise<boolean> {
  await identify(options.patroni, options.patroniglue);
  const stop = new AbortController();
  const found = watch({ ...options, targets: ROLES, everyMs: WATCH_EVERY_MS, signal: stop.signal });
  await sleep(watchMs);
  stop.abort();
  const watched = await found;
  const tooLong = watched.filter(
    ({ longestDifferenceMs, slowestMs }) => longestDifferenceMs > intervalMs + slowestMs + WATCH_SLACK_MS,
  );
  const line = ({ target, patroni, longestDifferenceMs }: Watched): string =>
    `${target.padEnd(16)}  ${(longestDifferenceMs / 1000).toFixed(2).padStart(6)} s  ${patroni.join(' ')}`;
  if (json) print(JSON.stringify({ watched, differences: tooLong.length }, undefined, 2));
  else {
    print(['route             longest difference; what Patroni said in turn', ...watched.map(line)].join('\n'));
    print(`\n${tooLong.length} routes on which they differed for longer than an interval`);
  }
  return tooLong.length === 0;
}

/** A counter on the terminal, for a minute that would be silent otherwise. */
function createProgress(): { show: (decided: number, all: number) => void; clear: () => void } {
  const write = (text: string): void => {
    if (process.stderr.isTTY) process.stderr.write(`\r${text.padEnd(40)}`);
  };
  return {
    show: (decided, all) => {
      write(`${decided} of ${all} requests`);
    },
    clear: () => {
      write('');
      write('');
    },
  };
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

try {
  const args = readArguments(process.argv.slice(2));
  if (args === 'help') print(USAGE.trimEnd());
  else {
    const isAlike = await (args.watchMs === undefined ? compareAndPrint(args) : watchAndPrint(args, args.watchMs));
    process.exitCode = isAlike ? 0 : 1;
  }
} catch (error) {
  const { message } = error as Error;
  process.stderr.write(error instanceof UsageError ? `${message}\n\n${USAGE}` : `${message}\n`);
  process.exitCode = 2;
}
