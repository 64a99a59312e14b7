import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { within } from '../time/wait.js';
import { OTHERS_CORE, taskset } from '../measuring/cores.js';
import { coverageEnv } from './processes.js';

/** A helper process that answers orders, one reply each, in their order. */
export interface Child<Order, Reply> {
  readonly pid: number;
  /** Its standard output, where that is a pipe. */
  readonly stdout: Readable | null;
  /** Rejects when the child fails, ends, or has not replied after `deadlineMs`. */
  ask(order: Order, deadlineMs?: number): Promise<Reply>;
  signal(signal: NodeJS.Signals): void;
  /** SIGKILL, which ends a stopped process too. */
  close(): Promise<void>;
}

/** What goes back over the channel. */
type Message<Reply> = { readonly reply: Reply } | { readonly error: string };

const alive = new Set<ChildProcess>();

/** How else than by itself a child is started. */
export interface ChildOptions {
  readonly args?: readonly string[];
  /** Node's own flags. */
  readonly nodeFlags?: readonly string[];
  /** Ours, unless it is piped. */
  readonly stdout?: 'inherit' | 'pipe';
}

/**
 * Starts `script`, which must call {@link serveOrders} or do what that does, in a process of its own, on a core other than
 * the service's.
 */
export async function startChild<Order extends object, Reply>(
  script: URL,
  core = OTHERS_CORE,
  { args = [], nodeFlags = [], stdout = 'inherit' }: ChildOptions = {},
): Promise<Child<Order, Reply>> {
  endWithUs();
  const child = fork(script, args, {
    execArgv: [...nodeFlags],
    ...(taskset && { execPath: taskset, execArgv: ['-c', String(core), process.execPath, ...nodeFlags] }),
    env: { PATH: process.env['PATH'], ...coverageEnv() },
    stdio: ['ignore', stdout, 'inherit', 'ipc'],
  });
  alive.add(child);
  child.once('exit', () => alive.delete(child));
  await within(`${script.pathname} starts`, 10_000, once(child, 'message'));
  let last: Promise<unknown> = Promise.resolve();
  return {
    pid: child.pid ?? 0,
    stdout: child.stdout,
    ask(order, deadlineMs = 10_000) {
      const reply = last.catch(() => undefined).then(() => askChild<Reply>(child, order, deadlineMs));
      last = reply;
      return reply;
    },
    signal: (signal) => {
      child.kill(signal);
    },
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    },
  };
}

/** A helper process that works until it is told to end. */
export interface Worker<Reply> {
  /** Resolves with what it has done. */
  end(): Promise<Reply>;
  /** Ends the process without waiting for anything. */
  close(): Promise<void>;
}

/** Starts `script` as {@link startChild} does; it works from the one order to the other. */
export async function startWorker<Order extends object, Reply>(
  script: URL,
  begin: Order,
  end: Order,
): Promise<Worker<Reply>> {
  const child = await startChild<Order, Reply>(script);
  await child.ask(begin);
  return {
    async end() {
      try {
        return await child.ask(end, 120_000);
      } finally {
        await child.close();
      }
    },
    close: () => child.close(),
  };
}

async function askChild<Reply>(child: ChildProcess, order: object, deadlineMs: number): Promise<Reply> {
  const ended = new AbortController();
  const end = (): void => {
    ended.abort(new Error('the process ended'));
  };
  child.once('exit', end);
  try {
    const message = once(child, 'message', { signal: ended.signal });
    message.catch(() => undefined);
    child.send(order);
    const [answer] = (await within(JSON.stringify(order), deadlineMs, message)) as [Message<Reply>];
    if ('error' in answer) throw new Error(answer.error);
    return answer.reply;
  } finally {
    child.off('exit', end);
  }
}

/**
 * In the child: answers each order with what `handle` says, and ends with the parent. That orders are of the type that
 * `handle` takes is for the parent to see to, by the type of its {@link Child}.
 */
export function serveOrders<Reply>(handle: (order: never) => Reply | Promise<Reply>): void {
  process.on('message', (order) => {
    void answer(order as never);
  });
  process.once('disconnect', () => process.exit());
  process.send?.('ready');

  async function answer(order: never): Promise<void> {
    let message: Message<Reply>;
    try {
      message = { reply: await handle(order) };
    } catch (error) {
      message = { error: String(error) };
    }
    process.send?.(message);
  }
}

let ending = false;

/** A stopped child does not notice that its parent is gone. */
function endWithUs(): void {
  if (ending) return;
  ending = true;
  process.once('exit', () => {
    for (const child of alive) child.kill('SIGKILL');
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1));
}
