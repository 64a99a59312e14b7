import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { serveOrders } from '../../support/processes/child.js';
import { nowMs } from '../../support/time/monotonic.js';
import type { SamplerOrder, Target } from './sampler.js';
import { append, type Said, type Stretch, type Track } from './track.js';

/** A question without a status by then has got none. */
const DEADLINE_MS = 1000;

/**
 * Where the kernel does not accept the connection, its queue for the server is full, and it would be tried again after a
 * second: a new question is heard sooner. The same holds for a question to a place that said nothing to the one before,
 * since a stopped server's queue is full of questions that were given up.
 */
const FULL_QUEUE_DEADLINE_MS = 50;

const end = new AbortController();
let tracks: readonly Track[] = [];
let ended: Promise<unknown> = Promise.resolve();

serveOrders<readonly Track[]>(async (order: SamplerOrder) => {
  if (order.kind === 'begin') {
    const { targets, everyMs } = order;
    const followed = targets.map((target) => ({ target, stretches: [] as Stretch[] }));
    tracks = followed.map(({ target: { node, by }, stretches }) => ({ node, by, stretches }));
    ended = Promise.all(followed.map(({ target, stretches }) => follow(target, everyMs, stretches)));
    return [];
  }
  end.abort();
  await ended;
  return tracks;
});

async function follow({ port }: Target, everyMs: number, stretches: Stretch[]): Promise<void> {
  while (!end.signal.aborted) {
    const sentMs = nowMs();
    const deadlineMs = stretches.at(-1)?.said === 'nothing' ? FULL_QUEUE_DEADLINE_MS : DEADLINE_MS;
    const said = await ask(port, deadlineMs);
    const endMs = nowMs();
    append(stretches, { sentMs, endMs, said });
    await sleep(Math.max(sentMs + everyMs - endMs, 1));
  }
}

function ask(port: number, deadlineMs: number): Promise<Said> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(port, '127.0.0.1');
    const done = (said: Said): void => {
      clearTimeout(deadline);
      clearTimeout(queueDeadline);
      resolve(said);
      socket.resetAndDestroy();
    };
    // Not before what has arrived is read, should this process have been held up.
    const after = (ms: number, isSo: () => boolean): NodeJS.Timeout =>
      setTimeout(setImmediate, ms, () => {
        if (isSo()) done('nothing');
      });
    const deadline = after(deadlineMs, () => true);
    const queueDeadline = after(FULL_QUEUE_DEADLINE_MS, () => socket.connecting);
    socket.on('connect', () => {
      clearTimeout(queueDeadline);
    });
    socket.setEncoding('latin1');
    socket.write('OPTIONS /primary HTTP/1.0\r\n\r\n');
    socket.on('error', () => {
      done('nothing');
    });
    socket.on('end', () => {
      done('nothing');
    });
    socket.on('data', (chunk: string) => {
      text += chunk;
      const [, status] = /^HTTP\/1\.[01] (\d{3})/.exec(text) ?? [];
      if (status !== undefined) done(status === '200' ? 'yes' : 'no');
    });
  });
}
