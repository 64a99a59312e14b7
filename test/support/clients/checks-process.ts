import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { serveOrders } from '../processes/child.js';
import { nowMs } from '../time/monotonic.js';
import type { ChecksOrder, FloodLoad, PacedLoad, Sample } from './checks.js';

/**
 * A check that is not answered by then has failed. It is long, because a busy machine may not run the service for seconds:
 * the tests have bounds of their own, which know how busy the machine was.
 */
const DEADLINE_MS = 60_000;

/** The checks of a steady rate that was begun, and what ends it. */
let steady: { readonly samples: Promise<readonly Sample[]>; readonly end: AbortController } | undefined;

serveOrders<readonly Sample[]>(async (order: ChecksOrder) => {
  switch (order.kind) {
    case 'paced':
      return paced(order, (order.durationMs / 1000) * order.perSecond, new AbortController().signal);
    case 'flood':
      return flood(order);
    case 'begin': {
      const end = new AbortController();
      steady = { end, samples: paced(order, Infinity, end.signal) };
      return [];
    }
    case 'end': {
      steady?.end.abort();
      return (await steady?.samples) ?? [];
    }
  }
});

type Pace = Pick<PacedLoad, 'ports' | 'routes' | 'perSecond' | 'tls'>;

async function paced(
  { ports, routes, perSecond, tls }: Pace,
  count: number,
  end: AbortSignal,
): Promise<readonly Sample[]> {
  const startedMs = nowMs();
  const checks: Promise<Sample>[] = [];
  let sent = 0;
  await new Promise<void>((resolve) => {
    const sendDue = (): void => {
      for (;;) {
        if (sent >= count || end.aborted) {
          resolve();
          return;
        }
        const dueMs = startedMs + (sent * 1000) / perSecond;
        const waitMs = dueMs - nowMs();
        if (waitMs > 0) {
          // Node's timers are a millisecond late; what is left of the wait goes by in turns of the event loop.
          if (waitMs > 2) setTimeout(sendDue, waitMs - 2);
          else setImmediate(sendDue);
          return;
        }
        const route = routes[sent % routes.length] ?? '/';
        // In turn the first: the one behind it waits for it a little.
        for (const port of sent % 2 ? ports : ports.toReversed()) checks.push(check(port, route, dueMs, tls));
        sent += 1;
      }
    };
    sendDue();
  });
  return Promise.all(checks);
}

async function flood({ port, routes, checks, concurrency }: FloodLoad): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  let begun = 0;
  const worker = async (): Promise<void> => {
    while (begun < checks) {
      const route = routes[begun % routes.length] ?? '/';
      begun += 1;
      samples.push(await check(port, route, nowMs()));
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return samples;
}

function check(port: number, route: string, dueMs: number, tls = false): Promise<Sample> {
  const sentMs = nowMs();
  return new Promise((resolve) => {
    let text = '';
    const tcp = connect(port, '127.0.0.1');
    const socket = tls ? connectTls({ socket: tcp, rejectUnauthorized: false }) : tcp;
    const end = (result: Pick<Sample, 'status' | 'failure' | 'ageS' | 'askedMs'>): void => {
      clearTimeout(deadline);
      resolve({ port, route, dueMs, sentMs, endMs: nowMs(), ...result });
      tcp.resetAndDestroy();
    };
    const fail = (failure: string): void => {
      end({ status: 0, failure });
    };
    const deadline = setTimeout(fail, DEADLINE_MS, 'no reply');
    socket.setEncoding('latin1');
    socket.write(`GET ${route} HTTP/1.0\r\n\r\n`);
    for (const each of new Set([tcp, socket])) {
      each.on('error', (error: NodeJS.ErrnoException) => {
        fail(error.code ?? error.message);
      });
    }
    socket.on('end', () => {
      fail('cut off');
    });
    socket.on('data', (chunk: string) => {
      text += chunk;
      const reply = parse(text);
      if (reply) end(reply);
    });
  });
}

/** A reply, once it is whole. */
function parse(text: string): Pick<Sample, 'status' | 'ageS' | 'askedMs'> | undefined {
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const head = text.slice(0, headEnd);
  const length = numberIn(/^content-length: *(\d+)/im, head);
  if (length === undefined || text.length - headEnd - 4 < length) return undefined;
  const ageS = numberIn(/^age: *(\d+)/im, head);
  const askedMs = numberIn(/"askedMs":([\d.]+)/, text);
  return {
    status: numberIn(/^HTTP\/1\.[01] (\d{3})/, head) ?? 0,
    ...(ageS !== undefined && { ageS }),
    ...(askedMs !== undefined && { askedMs }),
  };
}

function numberIn(pattern: RegExp, text: string): number | undefined {
  const found = pattern.exec(text)?.[1];
  return found === undefined ? undefined : Number(found);
}
